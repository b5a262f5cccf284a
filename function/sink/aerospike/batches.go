package aerospike

import (
	"context"
	"runtime/debug"
	"sync"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
)

// The largest batch. Larger ones are slower, as measured with a real server; the bytes bound
// what a server has to buffer for one.
const (
	batchChanges = 256
	batchBytes   = 4 << 20
)

// batches stores the changes of Puts in batches, several at once. It keeps the order of the
// changes of a record: a batch has one of them at most, and the next waits for it.
type batches struct {
	turns chan struct{} // has an element for each batch under way
}

func newBatches(atOnce int) batches { return batches{make(chan struct{}, atOnce)} }

// put calls store for the changes with these indexes, in batches of different records, and
// waits for all of them. Store may be called by several goroutines at once. Once ctx has
// ended store is called without waiting for a turn; it has to fail then.
func (b batches) put(ctx context.Context, changes []format.Parsed, indexes []int, store func([]int)) {
	for _, wave := range waves(changes, indexes) {
		b.putWave(ctx, changes, wave, store)
	}
}

// putWave is put for changes of different records.
func (b batches) putWave(ctx context.Context, changes []format.Parsed, wave []int, store func([]int)) {
	var (
		group    sync.WaitGroup
		mu       sync.Mutex
		panicked *sink.Panic
	)
	for len(wave) > 0 {
		n := batchSize(changes, wave)
		batch := wave[:n]
		wave = wave[n:]
		release := b.turn(ctx)
		group.Go(func() {
			defer release()
			defer func() {
				if value := recover(); value != nil {
					mu.Lock()
					panicked = &sink.Panic{Value: value, Stack: debug.Stack()}
					mu.Unlock()
				}
			}()
			store(batch)
		})
	}
	group.Wait()
	if panicked != nil {
		panic(panicked)
	}
}

// turn waits until a batch may go, or until ctx has ended.
func (b batches) turn(ctx context.Context) (release func()) {
	select {
	case b.turns <- struct{}{}:
		return func() { <-b.turns }
	case <-ctx.Done():
		return func() {}
	}
}

// batchSize returns how many of the changes go into the first batch.
func batchSize(changes []format.Parsed, indexes []int) int {
	bytes := 0
	for n, i := range indexes[:min(len(indexes), batchChanges)] {
		if bytes += len(changes[i].Data); bytes > batchBytes && n > 0 {
			return n
		}
	}
	return min(len(indexes), batchChanges)
}

// waves returns the indexes in parts, none of which has two changes of a record. Changes of
// a record keep their order from one part to the next.
func waves(changes []format.Parsed, indexes []int) [][]int {
	var parts [][]int
	earlier := make(map[change.Digest]int, len(indexes)) // how many changes of the record
	for _, i := range indexes {
		d := changes[i].Change.Digest
		n := earlier[d]
		earlier[d]++
		if n == len(parts) {
			parts = append(parts, nil)
		}
		parts[n] = append(parts[n], i)
	}
	return parts
}
