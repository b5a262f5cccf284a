package deliver

import (
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/aerosink/aerosink/connector/change"
)

// A destination that refuses a batch says that a change in it will never be
// taken, but not which. The batch is cut into halves, which are sent one after
// another in its place, until the change is alone. Its lanes are held so long, and
// nothing overtakes a half. When the first half is delivered, the second must be
// the bad one, and is cut without being sent. So a bad change among n costs at most
// 2·log2(n) requests more, and all others are delivered, in order.

// split puts the halves of b, which was to be sent next, in front of what else l
// has. Poisoned means that one of them is refused for certain.
func (d *Destination) split(l *load, b *batch, poisoned bool) {
	n := len(b.items)
	first, second := b.part(0, n/2), b.part(n/2, n)
	if poisoned {
		first.second = second
	}
	l.batches = slices.Insert(l.batches, 0, first, second)
	d.counts.splits.Inc()
}

// condemn follows the delivery of a first half.
func (d *Destination) condemn(l *load, second *batch) {
	if len(l.batches) > 0 && l.batches[0] == second && len(second.items) > 1 {
		d.split(l, l.next(), true)
	}
}

// doubtful is how many changes a destination may refuse in a row before it is not
// believed any more.
const doubtful = 100

// refusals counts the changes refused since one was delivered. A destination that
// refuses everything has most likely been set up wrongly: were it believed, the
// whole database would end in the dead letters. So from doubtful on a refusal
// counts as worth trying again, until a change is delivered; the backlog stays in
// the database meanwhile.
type refusals struct{ inARow atomic.Int64 }

func (r *refusals) delivered() {
	if r.inARow.Load() != 0 {
		r.inARow.Store(0)
	}
}

// disbelieved reports whether refusals do not count any more.
func (r *refusals) disbelieved() bool { return r.inARow.Load() >= doubtful }

// verdict returns the verdict on one change that was refused with err.
func (r *refusals) verdict(err error) error {
	if r.inARow.Add(1) <= doubtful {
		return change.Permanent(err)
	}
	return fmt.Errorf("%w, like the %d before; look at the format and the URL of the destination", err, doubtful)
}
