package archive

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// A batch over max-in-flight is refused at once, as a whole, and accepted once the limit
// allows it. A batch that is larger than the limit is accepted when it is alone.
func TestPut_overload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := openMemory(t, "?max-in-flight=8MiB&linger=0s")
		write := make(chan struct{})
		b.fault = func(context.Context, *object) (Outcome, bool, error) {
			<-write
			return Created, true, nil
		}
		var putting sync.WaitGroup
		putting.Go(func() {
			if v := a.Put(t.Context(), large(1)); v != nil {
				t.Error(v)
			}
		})
		synctest.Wait()
		began := time.Now()
		two := large(2)
		two.Changes = append(two.Changes, sinktest.One("s", 3))
		v := a.Put(t.Context(), two)
		if len(v) != 2 || !errors.Is(v[0], sink.ErrOverloaded) || !errors.Is(v[1], sink.ErrOverloaded) || time.Since(began) != 0 {
			t.Fatalf("%v after %s", v, time.Since(began))
		}
		close(write)
		putting.Wait()
		if v := a.Put(t.Context(), two); v != nil {
			t.Errorf("afterwards: %v", v)
		}
		three := sink.Batch{Changes: append(append(large(4).Changes, large(5).Changes...), large(6).Changes...)}
		if v := a.Put(t.Context(), three); v != nil {
			t.Errorf("alone and larger than the limit: %v", v)
		}
	})
}

// Parts take little more memory than their bytes, and compressed parts less.
func TestSplit_memory(t *testing.T) {
	const puts, size = 24, 2 << 20
	for _, tt := range []struct {
		query string
		most  uint64
	}{{"", puts * size * 5 / 4}, {"?compression=gzip", puts * size / 4}, {"?compression=zstd", puts * size / 4}} {
		t.Run(tt.query, func(t *testing.T) {
			a, _ := openMemory(t, tt.query)
			batches := make([]sink.Batch, puts)
			for i := range batches {
				p := sinktest.One("s", i)
				p.Data = fmt.Appendf(nil, `{"i":%d,"text":%q}`, i, strings.Repeat("repeated text ", size/14))
				batches[i].Changes = []format.Parsed{p}
			}
			before := heap()
			var all []*part
			for _, batch := range batches {
				parts, _ := split(a.config, batch)
				all = append(all, parts...)
			}
			if used := heap() - before; used > tt.most {
				t.Errorf("%d parts of %d bytes take %d bytes, want at most %d", len(all), size, used, tt.most)
			}
			runtime.KeepAlive(all)
			runtime.KeepAlive(batches)
		})
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC() // the second empties pools
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
