package connector

import (
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/aerosink/aerosink/connector/change"
)

// delivered remembers, for changes with several destinations, which of them have the change
// already while the database is to ship it again because of the others. A change that was
// forgotten goes to all of them again.
type delivered struct {
	mu         sync.Mutex
	young, old map[changeKey]uint64 // the destinations that have the change, as bits
	max        int                  // changes in each of the two
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

// copiesOf prepares a slot's change to be sent to n destinations.
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

// update remembers which destinations have a change that was not delivered everywhere.
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
	had  atomic.Uint64 // the destinations that have it, as bits
	each []pendingCopy
}

// missing returns how many destinations do not have the change.
func (p *pendingCopies) missing() int { return len(p.each) - bits.OnesCount64(p.had.Load()) }

// to returns the recipient of destination i's verdict, nil if it has the change. After the
// 64th destination nothing is remembered.
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
