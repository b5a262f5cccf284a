package aerospike

import (
	"context"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
)

// A batch has a record once, the changes of a record keep their order, and every change is in
// one batch of a bounded size.
func TestBatches_order(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var changes []format.Parsed
		for i := range rapid.IntRange(0, 1500).Draw(t, "changes") {
			size := 100
			if rapid.IntRange(0, 50).Draw(t, "large") == 0 {
				size = 3 << 20
			}
			d := change.Digest{byte(rapid.IntRange(0, 255).Draw(t, "record"))}
			if rapid.Bool().Draw(t, "own record") {
				d = change.Digest{1, byte(i), byte(i >> 8)}
			}
			changes = append(changes, format.Parsed{Change: change.Change{Digest: d, Generation: uint32(i)}, Data: large[:size]})
		}
		indexes := allIndexes(len(changes))
		var mu sync.Mutex
		last := map[change.Digest]uint32{}
		seen := 0
		newBatches(3).put(t.Context(), changes, indexes, func(batch []int) {
			mu.Lock()
			defer mu.Unlock()
			bytes, once := 0, map[change.Digest]bool{}
			for _, i := range batch {
				c := &changes[i].Change
				if once[c.Digest] {
					t.Errorf("record %s twice in a batch", c.Digest)
				}
				once[c.Digest] = true
				if before, ok := last[c.Digest]; ok && before >= c.Generation {
					t.Errorf("change %d after %d", c.Generation, before)
				}
				last[c.Digest] = c.Generation
				bytes += len(changes[i].Data)
				seen++
			}
			if len(batch) == 0 || len(batch) > batchChanges || bytes > batchBytes && len(batch) > 1 {
				t.Errorf("a batch of %d changes, %d bytes", len(batch), bytes)
			}
		})
		if seen != len(changes) {
			t.Fatalf("%d changes, want %d", seen, len(changes))
		}
	})
}

var large = make([]byte, 3<<20)

// The number of batches at once is bounded for all Puts together. One whose context ends gets
// no turn, but is called, so that it sets its verdicts.
func TestBatches_turns(t *testing.T) {
	b := newBatches(1)
	changes := make([]format.Parsed, 1)
	running, release := make(chan struct{}), make(chan struct{})
	go b.put(context.Background(), changes, []int{0}, func([]int) {
		close(running)
		<-release
	})
	<-running
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	called := false
	b.put(ctx, changes, []int{0}, func([]int) { called = true })
	if !called {
		t.Error("not called after the context ended")
	}
	close(release)
	b.put(t.Context(), changes, []int{0}, func([]int) {})
}

// A panic reaches the Put once no batch is under way, and leaves the turns free.
func TestBatches_panic(t *testing.T) {
	b := newBatches(2)
	changes := make([]format.Parsed, 3*batchChanges)
	for i := range changes {
		changes[i].Change.Digest = change.Digest{byte(i), byte(i >> 8)}
	}
	for range 5 {
		var mu sync.Mutex
		var done []int
		func() {
			defer func() {
				p, ok := recover().(*sink.Panic)
				if !ok || p.Value != "boom" || len(p.Stack) == 0 {
					t.Errorf("recovered %v", p)
				}
			}()
			b.put(t.Context(), changes, allIndexes(len(changes)), func(batch []int) {
				if slices.Contains(batch, 0) {
					panic("boom")
				}
				mu.Lock()
				defer mu.Unlock()
				done = append(done, batch...)
			})
			t.Error("no panic")
		}()
		if len(done) != 2*batchChanges {
			t.Errorf("%d changes of the other batches", len(done))
		}
	}
}
