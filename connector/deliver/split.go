package deliver

import (
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/aerosink/aerosink/connector/change"
)

// A destination that refuses a batch says that a change in it will never be
// taken, but not which. The batch is cut into halves, which are sent one after
// another in its place, until the change is alone. When the first half is
// delivered, the second must be the bad one, and is cut without being sent. So a
// bad change among n costs at most 2·log2(n) requests more, and all others are
// delivered, in order.

// split puts the halves of b in front of the lane. Poisoned means that one of them
// is refused for certain.
func (l *lane) split(b *batch, poisoned bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.halve(b, poisoned)
}

func (l *lane) halve(b *batch, poisoned bool) {
	n := len(b.items)
	first, second := b.part(0, n/2), b.part(n/2, n)
	if poisoned {
		first.second = second
	}
	l.queue = slices.Insert(l.queue, 0, first, second)
	l.d.counts.splits.Inc()
}

// push puts b in front of the lane.
func (l *lane) push(b *batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue = slices.Insert(l.queue, 0, b)
}

// condemn says that the other half of second was delivered.
func (l *lane) condemn(second *batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	second.bad = true
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
