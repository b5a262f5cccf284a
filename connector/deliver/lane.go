package deliver

import (
	"slices"
	"sync"
	"time"
)

// lane is a queue of batches, of which one at a time is in flight. It has a
// goroutine only while there is something in it.
type lane struct {
	d       *Destination
	wake    chan struct{} // has room for one signal: look again
	granted *endpoint     // of the gate, and guarded by it

	mu      sync.Mutex
	queue   []*batch // in the order of arrival; only the last still takes parcels
	running bool
	resting bool // the goroutine waits for more parcels
	closed  bool
}

// tidying is how often a lane that waits for its turn looks for parcels that are
// late by now.
const tidying = 100 * time.Millisecond

// add queues p, unless nothing would come of it.
func (l *lane) add(p *Parcel) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return errClosed
	}
	if err := l.d.gate.refusal(p.Deadline); err != nil {
		return err
	}
	var b *batch
	if n := len(l.queue); n > 0 && l.queue[n-1].fits(p) {
		b = l.queue[n-1]
	} else {
		b = newBatch(p.Stream)
		l.queue = append(l.queue, b)
	}
	b.add(p)
	switch {
	case !l.running:
		l.running = true
		l.d.running.Go(l.run)
	case l.resting && (b.full() || len(l.queue) > 1):
		l.signal()
	}
	return nil
}

func (l *lane) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.signal()
}

func (l *lane) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run sends batch after batch, until there are no more.
func (l *lane) run() {
	for {
		until, due, empty := l.look()
		switch {
		case empty:
			return
		case !due:
			l.sleep(time.Until(until))
			continue
		}
		if e := l.d.gate.enter(l, until); e != nil {
			l.d.exchange(l, e)
		} else {
			l.sweep()
		}
	}
}

// look says whether the first batch is to be sent now: then until when it can
// wait for its turn before the lane looks again, else until when it waits for
// more parcels. From an empty lane the goroutine must go.
func (l *lane) look() (until time.Time, due, empty bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.resting = false
	if len(l.queue) == 0 {
		l.running = false
		return time.Time{}, false, true
	}
	if b := l.queue[0]; b.bad && len(b.items) > 1 {
		l.queue = l.queue[1:]
		l.halve(b, true)
	}
	now, b := time.Now(), l.queue[0]
	if ready := b.born.Add(b.stream.Interval); len(l.queue) == 1 && !b.full() && !b.half && !l.closed && ready.After(now) {
		l.resting = true
		return ready, false, false
	}
	until = now.Add(tidying)
	if first := b.items[0].deadline; first.After(until) {
		until = first
	}
	return until, true, false
}

// take returns the first batch, without what is too late, or nil when nothing is
// left of it.
func (l *lane) take() *batch {
	l.mu.Lock()
	if len(l.queue) == 0 {
		l.mu.Unlock()
		return nil
	}
	b := l.queue[0]
	l.queue[0] = nil
	l.queue = l.queue[1:]
	l.mu.Unlock()

	now := time.Now()
	late := b.drop(nil, func(deadline time.Time) error { return tooLate(deadline, now) })
	l.d.settleAll(late)
	if len(b.items) == 0 {
		b.free()
		return nil
	}
	return b
}

// sweep settles the parcels that are late, and those that the gate refuses.
func (l *lane) sweep() {
	now := time.Now()
	refusal := func(deadline time.Time) error {
		if err := tooLate(deadline, now); err != nil {
			return err
		}
		return l.d.gate.refusal(deadline)
	}
	var out []settlement
	l.mu.Lock()
	l.queue = slices.DeleteFunc(l.queue, func(b *batch) bool {
		out = b.drop(out, refusal)
		if len(b.items) > 0 {
			return false
		}
		b.free()
		return true
	})
	l.mu.Unlock()
	l.d.settleAll(out)
}

func (l *lane) sleep(wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.wake:
	}
}

// depth returns how many changes wait.
func (l *lane) depth() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, b := range l.queue {
		n += len(b.items)
	}
	return n
}

func tooLate(deadline, now time.Time) error {
	if now.Before(deadline) {
		return nil
	}
	return errTooLate
}
