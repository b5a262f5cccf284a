package newest_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/function/replay/newest"
)

// peak calls f and returns the most memory that was in use meanwhile, in bytes.
func peak(f func()) (most uint64) {
	defer debug.SetGCPercent(debug.SetGCPercent(40))
	done := make(chan struct{})
	var sampling sync.WaitGroup
	sampling.Go(func() {
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
			select {
			case <-done:
				return
			case <-time.After(5 * time.Millisecond): // a sample, nothing depends on it
			}
		}
	})
	f()
	close(done)
	sampling.Wait()
	return most
}

// The index of a million changes takes no more than 64 MiB, whether they are of as many
// records, or of a few in one partition that are written all the time.
func TestIndex_memory(t *testing.T) {
	if testing.Short() || changetest.Raced {
		t.Skip("it indexes a million changes twice, and the race detector takes memory of its own")
	}
	const files, size, bound = 20, 50_000, 64 << 20
	for name, tt := range map[string]struct {
		records int
		digest  func(i int) (d change.Digest)
	}{
		"many records": {files * size, func(i int) (d change.Digest) {
			binary.LittleEndian.PutUint64(d[:], uint64(i)*0x9e3779b97f4a7c15)
			return d
		}},
		"one partition": {1000, func(i int) (d change.Digest) {
			binary.LittleEndian.PutUint32(d[4:], uint32(i%1000))
			return d
		}},
	} {
		t.Run(name, func(t *testing.T) {
			a := newArchive(t, t.TempDir())
			for f := range files {
				var text bytes.Buffer
				for i := f * size; i < (f+1)*size; i++ {
					d := tt.digest(i)
					fmt.Fprintf(&text, `{"msg":"write","key":["shop","orders","%s",null],"gen":%d,"exp":0,"lut":%d,"bins":[]}`+"\n",
						base64.StdEncoding.EncodeToString(d[:]), 1+i/1000, begin+i)
				}
				a.add(fmt.Sprintf("%02d.ndjson", f), text.Bytes())
			}
			runtime.GC()
			n := 0
			most := peak(func() {
				x, _ := a.read(newest.Options{})
				defer closed(t, x)
				for _, err := range x.Records("shop") {
					if err != nil {
						t.Fatal(err)
					}
					n++
				}
				if x.Disk() > files*size*48 {
					t.Errorf("%d bytes on disk", x.Disk())
				}
			})
			t.Logf("%d MiB", most>>20)
			if n != tt.records || most > bound {
				t.Errorf("%d records with %d MiB; want %d with at most %d MiB", n, most>>20, tt.records, bound>>20)
			}
		})
	}
}
