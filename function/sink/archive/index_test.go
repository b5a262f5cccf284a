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

// lost is the fault of an answer that never comes, with the object there or not.
func lost(there bool) func(context.Context, *object) (Outcome, bool, error) {
	return func(context.Context, *object) (Outcome, bool, error) { return Unknown, there, errLost }
}

func refused(context.Context, *object) (Outcome, bool, error) { return Failed, false, errLost }

// An object in doubt is written again as it was, when one of its parts comes again,
// whatever comes beside it: nothing is there twice.
func TestDoubt(t *testing.T) {
	for _, there := range []bool{true, false} {
		t.Run(fmt.Sprintf("there=%t", there), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := openIn(t, "")
				b.fault = lost(there)
				for i, v := range putAll(t, a, []sink.Batch{some(0, 2), some(2, 2)}) {
					if len(v) != 2 || !errors.Is(v[0], errLost) {
						t.Fatalf("Put %d: %v", i, v)
					}
				}
				b.setFault(refused) // says nothing of the write before
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
					t.Errorf("%v, %d writes of what is there", v, b.writes-writes)
				}
				if got := b.sizes(); !slices.Equal(got, []int{3, 4}) {
					t.Errorf("objects of %d changes", got)
				}
			})
		})
	}
}

// Two deletes of the same bytes that say nothing of their time are two: only where no
// object is shared are they taken for one that comes again.
func TestUndated(t *testing.T) {
	for query, objects := range map[string]int{"": 2, "?linger=0s": 1} {
		synctest.Test(t, func(t *testing.T) {
			a, b := openIn(t, query)
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

// What was refused for certain is not held in memory, and comes in any company.
func TestNoDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := openIn(t, "")
		b.fault = refused
		putAll(t, a, []sink.Batch{some(0, 2), some(2, 2)})
		if n := len(a.group.index.objects); n != 0 {
			t.Errorf("%d parts in memory", n)
		}
		b.setFault(nil)
		putAll(t, a, []sink.Batch{some(2, 2), some(4, 2)})
		if got := b.sizes(); !slices.Equal(got, []int{4}) {
			t.Errorf("objects of %d changes", got)
		}
	})
}

// A batch of which one folder failed comes again whole: what is there stays as it is.
func TestHalfFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := openIn(t, "")
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

// Whoever comes while the object is being written waits for that.
func TestJoinWriting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := openIn(t, "")
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

// Memory is bounded in age, in parts and in bytes; the oldest goes first.
func TestMemoryBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := openIn(t, "?linger=0s")
		put := func(batch sink.Batch) { a.Put(t.Context(), batch) }
		put(some(0, 1))
		<-time.After(maxAge - time.Second)
		put(some(0, 1)) // is remembered, and anew
		<-time.After(maxAge - time.Second)
		put(some(0, 1))
		if b.writes != 1 {
			t.Errorf("%d writes of what is remembered", b.writes)
		}
		<-time.After(maxAge + time.Second)
		put(some(0, 1))
		if b.writes != 2 || len(b.objects) != 1 {
			t.Errorf("%d writes, %d objects once it is forgotten", b.writes, len(b.objects))
		}

		for i := range maxParts + 10 {
			a.group.finish(roundOf(a.group, i), Created, nil)
		}
		if n := len(a.group.index.objects); n != maxParts || a.group.index.objects[key{9}] != nil {
			t.Errorf("%d parts in memory, the oldest %v", n, a.group.index.objects[key{9}])
		}

		b.setFault(lost(false))
		const each = 7 // that have room
		for i := range 3 * each {
			put(large(i))
		}
		m := &a.group.index
		if m.inDoubt.Len() != each || m.bytes > maxInDoubt {
			t.Errorf("%d objects of %d bytes in doubt", m.inDoubt.Len(), m.bytes)
		}
		<-time.After(maxAge + time.Second)
		b.setFault(nil)
		put(some(1, 1))
		if m.inDoubt.Len() != 0 || m.bytes != 0 || len(m.objects) != 1 {
			t.Errorf("%d objects of %d bytes in doubt, %d parts", m.inDoubt.Len(), m.bytes, len(m.objects))
		}
	})
}

// roundOf returns the round of an object of one part, number i.
func roundOf(g *group, i int) *pendingWrite {
	o := &object{keys: []key{{byte(i), byte(i >> 8), byte(i >> 16)}}}
	g.index.objects[o.keys[0]] = o
	o.beginWrite(false)
	return o.pending
}
