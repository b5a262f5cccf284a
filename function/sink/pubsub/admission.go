package pubsub

import (
	"time"

	"github.com/aerosink/aerosink/function/sink/failures"
)

// admission decides which messages of one Put may be queued. Once a message is over
// the limits, so is every later one, and once a change of a record is held back, so
// are the record's later ones. The publisher's lock guards it.
type admission struct {
	p          *publisher
	now        time.Time
	overloaded bool            // a message was over the limits
	heldBack   map[uint64]bool // records
}

// admit removes the messages of a chunk that may not be queued and sets their verdict.
func (a *admission) admit(l *lane, c *chunk) {
	if a.fits(c.amount()) && a.heldBack == nil && l.retries.IsEmpty(a.now) {
		return
	}
	kept, start, end := c.messages[:0], 0, 0
	for _, m := range c.messages {
		from, to := start, m.end
		start = m.end
		ids := c.put.idsOf(m)
		switch {
		case !a.fits(amount{len(kept) + 1, end + to - from}):
			a.overloaded = true
			c.put.setVerdict(m, a.p.errOverloaded)
			a.p.metrics.count(verdictOverloaded, 1)
			continue
		case !a.isNext(l, ids):
			c.put.setVerdict(m, a.p.errEarlier)
			a.p.metrics.count(verdictRetry, 1)
			continue
		}
		l.retries.Resolve(ids)
		m.end = end + copy(c.data[end:], c.data[from:to])
		end = m.end
		kept = append(kept, m)
	}
	c.messages, c.data = kept, c.data[:end]
}

// fits reports whether more stays within the limits.
func (a *admission) fits(more amount) bool {
	queued := a.p.queued
	return !a.overloaded && queued.messages+more.messages <= a.p.maxMessages && queued.bytes+more.bytes <= a.p.maxBytes
}

// isNext reports whether the changes of a message may be published now. If not, they
// and later changes of their records are held back.
func (a *admission) isNext(l *lane, ids []failures.ID) bool {
	next := true
	for _, id := range ids {
		next = next && !a.heldBack[id.Record]
	}
	if next && l.retries.Allows(ids, a.now) {
		return true
	}
	l.retries.Postpone(ids)
	if a.heldBack == nil {
		a.heldBack = map[uint64]bool{}
	}
	for _, id := range ids {
		if id.Record != 0 {
			a.heldBack[id.Record] = true
		}
	}
	return false
}
