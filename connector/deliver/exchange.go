package deliver

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

// settlement is a verdict for a recipient.
type settlement struct {
	to  Recipient
	err error
}

// carry makes requests, as long as there is something to carry and room for one.
func (d *Destination) carry() {
	for l, e := d.gate.arrive(); l != nil; l, e = d.gate.next() {
		l.merge()
		d.exchange(l, e)
		d.gate.put(l)
	}
}

// exchange makes one request of the first batch of l to e, without what is too late,
// and tells every recipient.
func (d *Destination) exchange(l *load, e *endpoint) {
	b, now := l.next(), time.Now()
	d.settleAll(b.drop(nil, tooLate(now)))
	if len(b.items) == 0 {
		d.gate.skip(e)
	} else {
		deadline := b.latest()
		if call := now.Add(d.config.CallTimeout); call.Before(deadline) {
			deadline = call
		}
		a := d.client.post(e, b, deadline)
		d.gate.leave(e, now, a, b.fullness())
		d.conclude(l, e, b, a)
	}
	b.free()
}

// conclude makes verdicts of an answer.
func (d *Destination) conclude(l *load, e *endpoint, b *batch, a *answer) {
	switch {
	case a.err == nil:
		d.refusals.delivered()
		d.condemn(l, b.second)
		e.tally.succeeded.Add(uint64(len(b.items)))
		d.queued.Add(-int64(len(b.items)))
		for _, i := range b.items {
			i.to.Settle(nil)
		}
	case a.report != nil:
		d.obey(e, b, a)
	case !a.refused:
		d.fail(e, b.items, a.err)
	case len(b.items) == 1:
		d.fail(e, b.items, d.refusals.verdict(a.err))
	case d.refusals.disbelieved(): // one change finds out whether that has passed
		l.batches = slices.Insert(l.batches, 0, b.part(0, 1))
		d.fail(e, b.items[1:], fmt.Errorf("%w of a batch of %d", a.err, len(b.items)))
	default:
		d.split(l, b, a.status != http.StatusRequestEntityTooLarge)
	}
}

// obey follows a report on the changes of b.
func (d *Destination) obey(e *endpoint, b *batch, a *answer) {
	err := fmt.Errorf("%w: %s", a.err, a.report.Reason)
	for n, named := range a.report.names() {
		item := b.items[n : n+1]
		switch {
		case !named:
			d.refusals.delivered()
			e.tally.succeeded.Add(1)
			d.queued.Add(-1)
			item[0].to.Settle(nil)
		case a.refused:
			d.fail(e, item, d.refusals.verdict(err))
		default:
			d.fail(e, item, err)
		}
	}
}

// fail settles items that were sent to e.
func (d *Destination) fail(e *endpoint, items []item, err error) {
	e.tally.failed.Add(uint64(len(items)))
	d.queued.Add(-int64(len(items)))
	err = d.wrap(err)
	for _, i := range items {
		i.to.Settle(err)
	}
}

// settleAll tells recipients what became of parcels that were not sent.
func (d *Destination) settleAll(out []settlement) {
	if len(out) == 0 {
		return
	}
	d.counts.unsent.failed.Add(uint64(len(out)))
	d.queued.Add(-int64(len(out)))
	var last, wrapped error
	for _, s := range out {
		if s.err != last { //nolint:errorlint // the very same needs no other wrapping
			last, wrapped = s.err, d.wrap(s.err)
		}
		s.to.Settle(wrapped)
	}
}

func (d *Destination) wrap(err error) error {
	return fmt.Errorf("destination %s: %w", d.config.Name, err)
}
