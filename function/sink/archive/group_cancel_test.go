package archive

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// slowWrite is how a write behaves in TestGroup_cancellations. A cancelled write ends at
// once, as that of a bucket does.
type slowWrite struct {
	takes  time.Duration // for ever, if it is negative
	result string        // see faultSequence
}

// writesInTurn makes writes behave as list says, one after another, and later ones succeed
// at once.
func writesInTurn(list []slowWrite) func(context.Context, *object) (Outcome, bool, error) {
	var mu sync.Mutex
	return func(ctx context.Context, o *object) (Outcome, bool, error) {
		mu.Lock()
		var w slowWrite
		if len(list) > 0 {
			w, list = list[0], list[1:]
		}
		mu.Unlock()
		if w.takes < 0 {
			<-ctx.Done()
			return Unknown, false, ctx.Err()
		}
		return faultSequence([]string{w.result}, w.takes)(ctx, o)
	}
}

// cancelledPut is a Put whose sender goes away.
type cancelledPut struct {
	batch  sink.Batch
	begins time.Duration
	lasts  time.Duration // until it is cancelled; it is not if this is negative

	took     time.Duration
	verdicts sink.Verdicts
}

func (p *cancelledPut) run(ctx context.Context, a *archive) {
	<-time.After(p.begins)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if p.lasts >= 0 {
		defer time.AfterFunc(p.lasts, cancel).Stop()
	}
	began := time.Now()
	p.verdicts = a.Put(ctx, p.batch)
	p.took = time.Since(began)
}

// check finds out whether the Put returned in time, and said so if it was cancelled. One
// whose changes are rows may have to wait for the object that uses their memory.
func (p *cancelledPut) check(a *archive) error {
	end, grace := a.timeout, a.linger
	if p.lasts >= 0 {
		end = min(end, p.lasts)
	}
	if a.changes.rows == nil {
		grace = 0
	}
	switch {
	case p.took > end+grace:
		return fmt.Errorf("a Put that was to end after %s took %s", end, p.took)
	case p.took > end && p.verdicts == nil:
		return fmt.Errorf("a Put that was to end after %s took %s, and reports success", end, p.took)
	}
	for i, err := range p.verdicts {
		if errors.Is(err, context.Canceled) && p.lasts < 0 && p.took < a.timeout {
			return fmt.Errorf("change %d of a Put that was not cancelled: %w", i, err)
		}
	}
	return nil
}

// Whoever goes away, and whatever becomes of writes, every Put returns once its context is
// done, and nothing is left of it. A Put that waits for ever is a deadlock of the bubble.
func TestGroup_cancellations(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		query := "?format=" + rapid.SampledFrom([]string{"ndjson", "ndjson&compression=gzip", "avro", "parquet&compression=none"}).Draw(r, "format") +
			"&linger=" + rapid.SampledFrom([]string{"0s", "250ms", "2s"}).Draw(r, "linger") +
			rapid.SampledFrom([]string{"", "&max-changes=3"}).Draw(r, "bounds")
		writes := rapid.SliceOfN(rapid.Custom(drawWrite), 0, 8).Draw(r, "writes")
		puts := make([]cancelledPut, rapid.IntRange(1, 6).Draw(r, "puts"))
		for i := range puts {
			puts[i] = drawPut(r, i)
		}
		var problem error
		synctest.Test(t, func(t *testing.T) {
			a, b := openMemory(t, query)
			b.fault = writesInTurn(writes)
			var putting sync.WaitGroup
			for i := range puts {
				putting.Go(func() { puts[i].run(t.Context(), a) })
			}
			putting.Wait()
			problem = checkEmpty(a)
			for i := range puts {
				problem = errors.Join(problem, puts[i].check(a))
			}
		})
		if problem != nil {
			r.Fatal(problem)
		}
	})
}

func drawWrite(r *rapid.T) slowWrite {
	w := slowWrite{takes: milliseconds(r, "takes", 3000), result: rapid.SampledFrom([]string{"refused", "lost", "unsent", ""}).Draw(r, "result")}
	if rapid.IntRange(0, 2).Draw(r, "hangs") == 0 {
		w.takes = -1
	}
	return w
}

// drawPut draws a Put of changes that others may have as well.
func drawPut(r *rapid.T, i int) cancelledPut {
	p := cancelledPut{begins: milliseconds(r, "begins", 300), lasts: -1}
	if rapid.IntRange(0, 3).Draw(r, "cancelled") > 0 {
		p.lasts = milliseconds(r, "lasts", 3000)
	}
	for j := range rapid.IntRange(1, 4).Draw(r, "changes") {
		n := 10*i + j
		if rapid.Bool().Draw(r, "shared") {
			n = j
		}
		p.batch.Changes = append(p.batch.Changes, sinktest.One(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(r, "set"), n))
	}
	return p
}

// Two senders share an object of rows, and both go away while it lingers.
func TestGroup_allCancelledWhileOpen(t *testing.T) {
	for _, format := range []string{"ndjson", "avro", "parquet&compression=none"} {
		t.Run(format, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := openMemory(t, "?linger=2s&format="+format)
				ctx, cancel := context.WithCancel(t.Context())
				defer time.AfterFunc(time.Second, cancel).Stop()
				began := time.Now()
				var putting sync.WaitGroup
				for i := range 2 {
					putting.Go(func() {
						if v := a.Put(ctx, some(i, 1)); len(v) != 1 || !errors.Is(v[0], context.Canceled) {
							t.Errorf("verdicts %v", v)
						}
					})
				}
				putting.Wait()
				if took := time.Since(began); took != time.Second || b.writes != 0 {
					t.Errorf("%d writes, ended after %s, want none after 1s", b.writes, took)
				}
				if err := checkEmpty(a); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// Nobody waits any longer for either of two objects: no write is begun, though each Put
// learns of one object before the other.
func TestGroup_allCancelledInSeveralFolders(t *testing.T) {
	for _, format := range []string{"ndjson", "avro"} {
		t.Run(format, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := openMemory(t, "?linger=2s&format="+format)
				ctx, cancel := context.WithCancel(t.Context())
				defer time.AfterFunc(time.Second, cancel).Stop()
				var putting sync.WaitGroup
				for _, sets := range [][]string{{"a", "b"}, {"b", "a"}} {
					var batch sink.Batch
					for i, set := range sets {
						batch.Changes = append(batch.Changes, sinktest.One(set, 10+i))
					}
					putting.Go(func() {
						if v := a.Put(ctx, batch); len(v) != 2 || v[0] == nil || v[1] == nil {
							t.Errorf("verdicts %v", v)
						}
					})
				}
				putting.Wait()
				if b.writes != 0 {
					t.Errorf("%d writes that nobody waits for", b.writes)
				}
				if err := checkEmpty(a); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// checkGauges finds what metrics and semaphores count of Puts that have returned.
func checkGauges(a *archive) error {
	if bytes := testutil.ToFloat64(a.metrics.inFlight); bytes != 0 || len(a.processors) != 0 {
		return fmt.Errorf("left: %v bytes in the metric, %d at a processor", bytes, len(a.processors))
	}
	return nil
}

// checkIndex finds objects of the index that a Put would wait for.
func checkIndex(a *archive) error {
	for _, o := range a.group.index.objects {
		if o.pending != nil {
			return fmt.Errorf("left: an object of %d changes that is open or being written", o.changes)
		}
	}
	return nil
}
