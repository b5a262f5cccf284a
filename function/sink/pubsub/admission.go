package pubsub

import "time"

// admission is what a delivery is allowed to bring. Once there is no room, nothing
// of it that comes later has any, and once a change of a record is refused, so are
// its later ones.
type admission struct {
	p       *publisher
	now     time.Time
	full    bool
	refused map[uint64]bool
}

// admit drops the messages of a parcel that are refused, and judges them.
func (a *admission) admit(l *lane, it *parcel) {
	d := it.d
	if a.fits(it.load()) && a.refused == nil && l.debts.none(a.now) {
		return
	}
	kept, start, end := it.messages[:0], 0, 0
	for _, m := range it.messages {
		from, to := start, m.end
		start = m.end
		marks := d.marksOf(m)
		switch {
		case !a.fits(load{len(kept) + 1, end + to - from}):
			a.full = true
			d.judge(m, a.p.overloaded)
			a.p.metrics.count(verdictOverloaded, 1)
			continue
		case !a.isDue(l, marks):
			d.judge(m, a.p.early)
			a.p.metrics.count(verdictRetry, 1)
			continue
		}
		l.debts.pay(marks)
		m.end = end + copy(it.data[end:], it.data[from:to])
		end = m.end
		kept = append(kept, m)
	}
	it.messages, it.data = kept, it.data[:end]
}

// fits reports whether there is room for more.
func (a *admission) fits(more load) bool {
	held := a.p.held
	return !a.full && held.messages+more.messages <= a.p.maxMessages && held.bytes+more.bytes <= a.p.maxBytes
}

// isDue reports whether the changes of a message may be published now, and notes it
// when not.
func (a *admission) isDue(l *lane, marks []mark) bool {
	due := true
	for _, m := range marks {
		due = due && !a.refused[m.record]
	}
	if due && l.debts.due(marks, a.now) {
		return true
	}
	l.debts.wait(marks)
	if a.refused == nil {
		a.refused = map[uint64]bool{}
	}
	for _, m := range marks {
		if m.record != 0 {
			a.refused[m.record] = true
		}
	}
	return false
}
