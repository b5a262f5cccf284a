package archive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

var errLost = errors.New("connection lost")

// lost returns a fault that loses the response of a write, which has stored the object or
// not.
func lost(stored bool) func(context.Context, *object) (Outcome, bool, error) {
	return func(context.Context, *object) (Outcome, bool, error) { return Unknown, stored, errLost }
}

func refused(context.Context, *object) (Outcome, bool, error) { return Failed, false, errLost }

// An object in doubt is written again unchanged when one of its parts comes again, whatever
// else comes with it, so that no change is stored twice.
func TestIndex_inDoubtIsWrittenAgain(t *testing.T) {
	for _, stored := range []bool{true, false} {
		t.Run(fmt.Sprintf("stored=%t", stored), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := openMemory(t, "")
				b.fault = lost(stored)
				for i, v := range putAll(t, a, []sink.Batch{some(0, 2), some(2, 2)}) {
					if len(v) != 2 || !errors.Is(v[0], errLost) {
						t.Fatalf("Put %d: %v", i, v)
					}
				}
				b.setFault(refused) // which leaves the object in doubt
				if v := a.Put(t.Context(), some(0, 2)); len(v) != 2 {
					t.Fatalf("refused: %v", v)
				}
				b.setFault(nil)
				for i, v := range putAll(t, a, []sink.Batch{some(4, 1), some(2, 2), some(5, 2), some(2, 2)}) {
					if v != nil {
						t.Errorf("Put %d: %v", i, v)
					}
				}
				writes := b.writes
				if v := a.Put(t.Context(), some(0, 2)); v != nil || b.writes != writes {
					t.Errorf("%v, %d writes of a stored object", v, b.writes-writes)
				}
				if got := b.sizes(); !slices.Equal(got, []int{3, 4}) {
					t.Errorf("objects of %d changes", got)
				}
			})
		})
	}
}

// Identical deletes with neither time nor generation are different changes. Only if objects
// are not shared are they taken for a repeated one.
func TestPut_identicalDeletes(t *testing.T) {
	for query, objects := range map[string]int{"": 2, "?linger=0s": 1} {
		synctest.Test(t, func(t *testing.T) {
			a, b := openMemory(t, query)
			one := some(0, 1)
			one.Changes[0].Change.LUT, one.Changes[0].Change.Generation = 0, 0
			for range 2 {
				if v := a.Put(t.Context(), one); v != nil {
					t.Fatal(v)
				}
			}
			if got := b.sizes(); len(got) != objects {
				t.Errorf("%q: objects of %d changes, want %d objects", query, got, objects)
			}
		})
	}
}

// A part whose write was refused is not in the index, and may be written with other parts.
func TestIndex_refusedIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := openMemory(t, "")
		b.fault = refused
		putAll(t, a, []sink.Batch{some(0, 2), some(2, 2)})
		if n := len(a.group.index.objects); n != 0 {
			t.Errorf("%d parts in the index", n)
		}
		b.setFault(nil)
		putAll(t, a, []sink.Batch{some(2, 2), some(4, 2)})
		if got := b.sizes(); !slices.Equal(got, []int{4}) {
			t.Errorf("objects of %d changes", got)
		}
	})
}

// If one folder of a batch failed and the whole batch comes again, the other folder is not
// written again.
func TestIndex_repeatAfterOneFolderFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := openMemory(t, "")
		b.fault = func(_ context.Context, o *object) (Outcome, bool, error) {
			if strings.Contains(o.name, "set=bad/") {
				return refused(t.Context(), o)
			}
			return Created, true, nil
		}
		batch := sink.Batch{Changes: []format.Parsed{sinktest.One("good", 1), sinktest.One("bad", 2), sinktest.One("good", 3)}}
		if v := a.Put(t.Context(), batch); len(v) != 3 || v[0] != nil || v[1] == nil || v[2] != nil {
			t.Fatalf("verdicts %v, want one on the second", v)
		}
		b.setFault(nil)
		other := sink.Batch{Changes: []format.Parsed{sinktest.One("good", 4), sinktest.One("bad", 5)}}
		for i, v := range putAll(t, a, []sink.Batch{other, batch}) {
			if v != nil {
				t.Errorf("Put %d: %v", i, v)
			}
		}
		if got := b.sizes(); !slices.Equal(got, []int{1, 2, 2}) {
			t.Errorf("objects of %d changes", got)
		}
	})
}

// A batch that is repeated while its object is written waits for that write.
func TestIndex_repeatDuringWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := openMemory(t, "")
		b.fault = func(context.Context, *object) (Outcome, bool, error) {
			<-time.After(time.Second)
			return Created, true, nil
		}
		began := time.Now()
		var putting sync.WaitGroup
		for range 3 {
			putting.Go(func() {
				if v := a.Put(t.Context(), some(0, 2)); v != nil || time.Since(began) != 1250*time.Millisecond {
					t.Errorf("%v after %s", v, time.Since(began))
				}
			})
			<-time.After(400 * time.Millisecond)
		}
		putting.Wait()
		if b.writes != 1 {
			t.Errorf("%d writes", b.writes)
		}
	})
}

// The index is bounded by age, parts and bytes; the oldest object is dropped first.
func TestIndex_limits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := openMemory(t, "?linger=0s")
		put := func(batch sink.Batch) { a.Put(t.Context(), batch) }
		put(some(0, 1))
		<-time.After(maxAge - time.Second)
		put(some(0, 1)) // is in the index, and touched
		<-time.After(maxAge - time.Second)
		put(some(0, 1))
		if b.writes != 1 {
			t.Errorf("%d writes of an object in the index", b.writes)
		}
		<-time.After(maxAge + time.Second)
		put(some(0, 1))
		if b.writes != 2 || len(b.objects) != 1 {
			t.Errorf("%d writes, %d objects after maxAge", b.writes, len(b.objects))
		}

		for i := range maxParts + 10 {
			a.group.finish(pendingWriteOf(a.group, i), Created, nil)
		}
		if n := len(a.group.index.objects); n != maxParts || a.group.index.objects[key{9}] != nil {
			t.Errorf("%d parts in the index, the oldest %v", n, a.group.index.objects[key{9}])
		}

		b.setFault(lost(false))
		const most = 7 // large objects in doubt within maxInDoubt
		for i := range 3 * most {
			put(large(i))
		}
		x := &a.group.index
		if x.inDoubt.Len() != most || x.bytes > maxInDoubt {
			t.Errorf("%d objects of %d bytes in doubt", x.inDoubt.Len(), x.bytes)
		}
		<-time.After(maxAge + time.Second)
		b.setFault(nil)
		put(some(1, 1))
		if x.inDoubt.Len() != 0 || x.bytes != 0 || len(x.objects) != 1 {
			t.Errorf("%d objects of %d bytes in doubt, %d parts", x.inDoubt.Len(), x.bytes, len(x.objects))
		}
	})
}

// pendingWriteOf returns the pendingWrite of an object of one part, number i.
func pendingWriteOf(g *group, i int) *pendingWrite {
	o := &object{keys: []key{{byte(i), byte(i >> 8), byte(i >> 16)}}}
	g.index.objects[o.keys[0]] = o
	o.beginWrite(false)
	return o.pending
}
