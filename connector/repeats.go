package connector

import (
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/aerosink/aerosink/connector/change"
)

// repeats remembers of changes with several destinations which of them have the
// change already, while it is to be shipped again because of the others. What is
// forgotten goes to all of them again.
type repeats struct {
	mu             sync.Mutex
	young, old     map[identity]uint64 // the destinations that have the change, as bits
	mostRemembered int                 // in each of the two
}

// identity is what makes two shipments the same change.
type identity struct {
	namespace  string
	set        string // a delete may come without it, and then goes by another route
	digest     change.Digest
	lut        int64
	generation uint32
	op         change.Op
}

// mostRepeats bounds the memory of repeats, to some 15 MB.
const mostRepeats = 1 << 16

func newRepeats(most int) *repeats {
	return &repeats{young: map[identity]uint64{}, old: map[identity]uint64{}, mostRemembered: most}
}

// copies is one change on its way to several destinations.
type copies struct {
	identity identity
	had      atomic.Uint64 // the destinations that have it
	each     []copyTo
}

// copyTo is the recipient of one destination's verdict.
type copyTo struct {
	slot  *slot
	index int
}

// Done takes the destination's verdict.
func (c *copyTo) Done(verdict error) {
	if verdict == nil {
		c.slot.copies.had.Or(1 << c.index)
	}
	c.slot.Done(verdict)
}

// copiesOf prepares a slot's change to be sent to n destinations.
func (r *repeats) copiesOf(sl *slot, c *change.Change, n int) *copies {
	k := &copies{identity: identity{c.Namespace, c.Set, c.Digest, c.LUT, c.Generation, c.Op}, each: make([]copyTo, n)}
	for i := range k.each {
		k.each[i] = copyTo{sl, i}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	had, ok := r.young[k.identity]
	if !ok {
		had = r.old[k.identity]
	}
	k.had.Store(had)
	return k
}

// missing returns how many destinations do not have the change.
func (k *copies) missing() int { return len(k.each) - bits.OnesCount64(k.had.Load()) }

// to returns the recipient of the i-th destination's verdict, and nil when that
// has the change. Of destinations after the 64th nothing is remembered.
func (k *copies) to(i int) change.Recipient {
	if k.had.Load()&(1<<i) != 0 {
		return nil
	}
	return &k.each[i]
}

// settle remembers what a change that was not delivered everywhere is to be spared
// the next time.
func (r *repeats) settle(k *copies, delivered bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.young)+len(r.old) > 0 {
		delete(r.young, k.identity)
		delete(r.old, k.identity)
	}
	had := k.had.Load()
	if delivered || had == 0 || k.identity.lut == 0 { // without its time a change has no identity
		return
	}
	if len(r.young) >= r.mostRemembered {
		r.young, r.old = map[identity]uint64{}, r.young
	}
	r.young[k.identity] = had
}
