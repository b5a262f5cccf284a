package pubsub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// settle judges the changes of a request. With ordering, what failed and all that
// waits behind it has to come again, in this order.
func (p *publisher) settle(r *request, f fate, now time.Time) {
	l := r.lane
	l.flying--
	p.flying--
	failed := f.judge(r, p.metrics)
	if f.err != nil && l.key != "" && len(l.queue) > 0 {
		p.fail(l, l.leave(l.queue[0]), p.behind, now)
	}
	for i := len(r.parcels) - 1; i >= 0; i-- {
		it := r.parcels[i]
		if it.d.left && failed[i] < len(it.messages) {
			failed[i] = 0 // its Put has told that all of it failed, so that all comes again
		}
		p.owe(l, it, it.messages[failed[i]:], now)
		p.held.take(it)
		it.closed = true
		it.d.close()
	}
	if l.inLine && !l.mayFly() {
		p.line.quit(l)
	}
	p.lineUp(l, now)
}

// owe notes that messages at the end of a parcel have failed.
func (p *publisher) owe(l *lane, it *parcel, failed []message, now time.Time) {
	for _, m := range slices.Backward(failed) {
		l.debts.owe(it.d.marksOf(m), now.Add(p.pause))
	}
}

// fail judges parcels that leave the queue of a lane, and notes what it owes.
func (p *publisher) fail(l *lane, gone []*parcel, err error, now time.Time) {
	for i := len(gone) - 1; i >= 0; i-- {
		it := gone[i]
		for _, m := range it.messages {
			it.d.judge(m, err)
		}
		p.metrics.count(verdictRetry, len(it.messages))
		p.owe(l, it, it.messages, now)
		p.held.take(it)
		p.close(it)
	}
}

// close notes the fate of a parcel that no request has carried.
func (p *publisher) close(it *parcel) {
	it.d.buffer.release()
	it.closed = true
	it.d.close()
}

// abandon ends a delivery whose Put cannot wait any longer, because of err. A
// request that nobody waits for is cancelled.
func (p *publisher) abandon(d *delivery, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	err = fmt.Errorf("publish to %s: %w", p.url, err)
	if p.trouble != nil && errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("%w; the last answer was: %w", err, p.trouble)
	}
	now := time.Now()
	for i := range d.parcels {
		it := &d.parcels[i]
		l := &p.lanes[it.lane]
		switch {
		case it.closed:
		case it.request == nil:
			p.failFrom(l, it, err, now)
		default:
			for _, m := range it.messages {
				d.judge(m, err)
			}
			it.request.leave()
		}
	}
	d.left = true
}

// failFrom fails a parcel that waits because of err, and what may not overtake it.
func (p *publisher) failFrom(l *lane, it *parcel, err error, now time.Time) {
	gone := l.leave(it)
	p.fail(l, gone[1:], p.behind, now)
	p.fail(l, gone[:1], err, now)
	if l.inLine && !l.mayFly() {
		p.line.quit(l)
	}
}
