package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// sender sends a batch until all of it is stored.
type sender struct {
	batch       sink.Batch
	timeouts    []time.Duration // of its first Puts; the others have none
	retryFailed bool            // retries only the failed changes, not the whole batch
	start       time.Duration
}

func (s *sender) send(ctx context.Context, a *archive) {
	<-time.After(s.start)
	batch := s.batch
	for puts := 0; ; puts++ {
		ctx, cancel := ctx, func() {}
		if puts < len(s.timeouts) {
			ctx, cancel = context.WithTimeout(ctx, s.timeouts[puts])
		}
		verdicts := a.Put(ctx, batch)
		cancel()
		if verdicts == nil {
			return
		}
		if s.retryFailed {
			var rest sink.Batch
			for i, err := range verdicts {
				if err != nil {
					rest.Changes = append(rest.Changes, batch.Changes[i])
				}
			}
			batch = rest
		}
	}
}

// faultSequence returns a fault for which the first writes end as faults say, one after
// another, and the others succeed. Each write takes the time slow.
func faultSequence(faults []string, slow time.Duration) func(context.Context, *object) (Outcome, bool, error) {
	var mu sync.Mutex
	return func(ctx context.Context, o *object) (Outcome, bool, error) {
		mu.Lock()
		fault := ""
		if len(faults) > 0 {
			fault, faults = faults[0], faults[1:]
		}
		mu.Unlock()
		select {
		case <-time.After(slow):
		case <-ctx.Done():
			return Unknown, fault == "lost", ctx.Err()
		}
		switch fault {
		case "refused":
			return refused(ctx, o)
		case "lost":
			return lost(true)(ctx, o)
		case "unsent":
			return lost(false)(ctx, o)
		}
		return Created, true, nil
	}
}

// Whatever writes fail and Puts are cancelled, each change ends up in one object, once.
func TestPut_storesOnceUnderRandomFailures(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		query := rapid.SampledFrom([]string{"", "?linger=0s", "?max-changes=5", "?max-bytes=100&linger=1s"}).Draw(r, "query")
		fault := faultSequence(rapid.SliceOfN(rapid.SampledFrom([]string{"refused", "lost", "unsent", ""}), 0, 20).Draw(r, "faults"),
			milliseconds(r, "slow", 2000))
		senders := make([]sender, rapid.IntRange(1, 8).Draw(r, "senders"))
		total := 0
		for i := range senders {
			s := sender{retryFailed: rapid.Bool().Draw(r, "retryFailed"), start: milliseconds(r, "start", 500)}
			for range rapid.IntRange(1, 6).Draw(r, "changes") {
				s.batch.Changes = append(s.batch.Changes, sinktest.One(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(r, "set"), total))
				total++
			}
			for range rapid.IntRange(0, 4).Draw(r, "timeouts") {
				s.timeouts = append(s.timeouts, milliseconds(r, "timeout", 3000)+time.Millisecond)
			}
			senders[i] = s
		}
		var problem error
		synctest.Test(t, func(t *testing.T) {
			a, b := openMemory(t, query)
			b.fault = fault
			var sending sync.WaitGroup
			for _, s := range senders {
				sending.Go(func() { s.send(t.Context(), a) })
			}
			sending.Wait()
			problem = errors.Join(checkOnce(b, total), checkEmpty(a))
		})
		if problem != nil {
			r.Fatal(problem)
		}
	})
}

func milliseconds(r *rapid.T, label string, most int) time.Duration {
	return time.Duration(rapid.IntRange(0, most).Draw(r, label)) * time.Millisecond
}

// checkOnce checks that each of changes 0 to n-1 is in the lines of the objects once.
func checkOnce(b *memoryBucket, n int) error {
	times := map[string]int{}
	for name, content := range b.objects {
		if !strings.HasSuffix(content, "\n") {
			return fmt.Errorf("%s ends within a line", name)
		}
		for line := range strings.Lines(content) {
			times[strings.TrimSuffix(line, "\n")]++
		}
	}
	for i := range n {
		if line := string(sinktest.One("", i).Data); times[line] != 1 {
			return fmt.Errorf("%s is stored %d times", line, times[line])
		}
	}
	if len(times) != n {
		return fmt.Errorf("%d changes, want %d", len(times), n)
	}
	return nil
}

// checkEmpty checks that nothing is left of Puts that have returned.
func checkEmpty(a *archive) error {
	if g := a.group; g.puts != 0 || g.blocked != 0 || len(g.open) != 0 || a.inFlight.Load() != 0 {
		return fmt.Errorf("left: %d Puts, %d blocked, %d open objects, %d bytes", g.puts, g.blocked, len(g.open), a.inFlight.Load())
	}
	return errors.Join(checkGauges(a), checkIndex(a))
}

// The same batches make the same object in any order.
func TestObject_sameInAnyOrder(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		query := rapid.SampledFrom([]string{"", "?compression=gzip", "?compression=zstd", "?format=avro", "?format=parquet"}).Draw(r, "query")
		var batches []sink.Batch
		for i := range rapid.IntRange(2, 5).Draw(r, "requests") {
			p := sinktest.One("s", i)
			p.Data = fmt.Appendf(nil, `{"i":%d,"text":%q}`, i, strings.Repeat("x", rapid.SampledFrom([]int{1, minCompressed}).Draw(r, "size")))
			batches = append(batches, sink.Batch{Changes: []format.Parsed{p, sinktest.One("s", 100+i)}})
		}
		other := rapid.Permutation(batches).Draw(r, "order")
		a, _ := openMemory(t, query)
		one, another := encoded(t, a, batches), encoded(t, a, other)
		if one.name != another.name || !bytes.Equal(bytes.Join(one.content, nil), bytes.Join(another.content, nil)) {
			r.Errorf("%s, in another order %s of %d and %d bytes", one.name, another.name, one.stored(), another.stored())
		}
	})
}

// encoded returns the encoded object of batches that have one folder.
func encoded(t *testing.T, a *archive, batches []sink.Batch) *object {
	t.Helper()
	o := &object{encoding: a.changes}
	for _, b := range batches {
		parts, verdicts := split(a.config, b)
		if verdicts != nil || len(parts) != 1 {
			t.Fatalf("%d parts, verdicts %v", len(parts), verdicts)
		}
		o.folder = parts[0].folder
		o.add(parts[0])
	}
	if err := o.encode(); err != nil {
		t.Fatal(err)
	}
	return o
}
