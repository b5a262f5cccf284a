package connector

import (
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/aerosink/aerosink/connector/change"
)

// delivered remembers which destinations have a change that must be shipped again because
// others of its destinations failed. It holds at most 2*max changes and drops the oldest
// ones. A change that is not remembered is sent to all its destinations.
type delivered struct {
	mu         sync.Mutex
	young, old map[changeKey]uint64 // bit i is set if destination i has the change
	max        int                  // changes in each map
}

// changeKey identifies a change across shipments.
type changeKey struct {
	namespace  string
	set        string // a delete may come without it, and then has other destinations
	digest     change.Digest
	lut        int64
	generation uint32
	op         change.Op
}

// maxDelivered bounds the memory of delivered, to about 15 MB.
const maxDelivered = 1 << 16

func newDelivered(most int) *delivered {
	return &delivered{young: map[changeKey]uint64{}, old: map[changeKey]uint64{}, max: most}
}

// copiesOf returns the copies of a slot's change for n destinations.
func (d *delivered) copiesOf(sl *slot, c *change.Change, n int) *pendingCopies {
	p := &pendingCopies{key: changeKey{c.Namespace, c.Set, c.Digest, c.LUT, c.Generation, c.Op}, each: make([]pendingCopy, n)}
	for i := range p.each {
		p.each[i] = pendingCopy{sl, i}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	had, ok := d.young[p.key]
	if !ok {
		had = d.old[p.key]
	}
	p.had.Store(had)
	return p
}

// update remembers which destinations have the change, or forgets the change if all have it.
func (d *delivered) update(p *pendingCopies, everywhere bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.young)+len(d.old) > 0 {
		delete(d.young, p.key)
		delete(d.old, p.key)
	}
	had := p.had.Load()
	if everywhere || had == 0 || p.key.lut == 0 { // a change without a LUT cannot be identified
		return
	}
	if len(d.young) >= d.max {
		d.young, d.old = map[changeKey]uint64{}, d.young
	}
	d.young[p.key] = had
}

// pendingCopies is one change on its way to several destinations.
type pendingCopies struct {
	key  changeKey
	had  atomic.Uint64 // bit i is set if destination i has it
	each []pendingCopy
}

// missing returns how many destinations do not have the change.
func (p *pendingCopies) missing() int { return len(p.each) - bits.OnesCount64(p.had.Load()) }

// to returns the recipient of destination i's verdict, or nil if i has the change. It is
// never nil for destinations after the 64th, which had has no bits for.
func (p *pendingCopies) to(i int) change.Recipient {
	if p.had.Load()&(1<<i) != 0 {
		return nil
	}
	return &p.each[i]
}

// pendingCopy is the recipient of one destination's verdict.
type pendingCopy struct {
	slot  *slot
	index int
}

// Done implements [change.Recipient].
func (p *pendingCopy) Done(verdict error) {
	if verdict == nil {
		p.slot.copies.had.Or(1 << p.index)
	}
	p.slot.Done(verdict)
}
