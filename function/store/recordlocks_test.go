package store

import (
	"context"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
)

// However requests overlap and give up, no two hold the same record at once, none waits for
// ever, and nothing is left.
func TestRecordLocks_exclusive(t *testing.T) {
	var l recordLocks
	var holders [8]int // of each record
	var mu sync.Mutex
	var using sync.WaitGroup
	for seed := range uint64(8) {
		using.Go(func() {
			random := rand.New(rand.NewPCG(seed, 1))
			for range 500 {
				h := new(hold)
				for range 1 + random.IntN(4) {
					h.records = append(h.records, random.Uint64N(uint64(len(holders))))
				}
				distinct := slices.Clone(h.records)
				slices.Sort(distinct)
				distinct = slices.Compact(distinct)
				want := len(distinct) < len(h.records)
				ctx, cancel := context.WithCancel(context.Background())
				if random.IntN(3) == 0 {
					time.AfterFunc(time.Duration(random.IntN(50))*time.Microsecond, cancel)
				}
				repeated, err := l.acquire(ctx, h)
				if err != nil {
					cancel()
					continue
				}
				if repeated != want {
					t.Errorf("repeated %t of %v", repeated, h.records)
				}
				mu.Lock()
				for _, r := range distinct {
					if holders[r]++; holders[r] > 1 {
						t.Errorf("record %d is held %d times", r, holders[r])
					}
				}
				mu.Unlock()
				runtime.Gosched()
				mu.Lock()
				for _, r := range distinct {
					holders[r]--
				}
				mu.Unlock()
				l.release(h)
				cancel()
			}
		})
	}
	using.Wait()
	all := &hold{records: []uint64{0, 1, 2, 3, 4, 5, 6, 7}}
	if _, err := l.acquire(t.Context(), all); err != nil { // requests that gave up may still wait
		t.Fatal(err)
	}
	l.release(all)
	if len(l.last) > 0 {
		t.Errorf("%d records are held", len(l.last))
	}
}
