package deliver

import (
	"slices"
	"sync"
	"time"
)

// lane is a queue of batches, of which no more than one request at a time carries
// any. While it is busy it either rests, or stands in the gate's queue, or is under
// way: a load holds it.
type lane struct {
	d *Destination

	mu      sync.Mutex
	queue   []*batch // in the order of arrival; only the last still takes parcels
	busy    bool
	resting bool        // waits for more parcels
	alarm   *time.Timer // ends the rest; nil before the first one
	closed  bool
}

// add queues p, unless nothing would come of it.
func (l *lane) add(p *Parcel) error {
	ready, err := l.queued(p)
	if ready {
		l.d.gate.offer(l)
	}
	return err
}

// queued queues p, and reports whether the lane is now to stand in the gate's queue.
func (l *lane) queued(p *Parcel) (ready bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false, errClosed
	}
	if err := l.d.gate.refusal(p.Deadline); err != nil {
		return false, err
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
	case !l.busy:
		l.busy = true
		l.d.busy.Add(1)
		return l.proceed(), nil
	case l.resting && (b.full() || len(l.queue) > 1):
		return l.proceed(), nil
	}
	return false, nil
}

// proceed finds out what a busy lane does next that neither stands in the gate's
// queue nor is under way, and reports whether it is to stand there.
func (l *lane) proceed() (ready bool) {
	l.resting = false
	if len(l.queue) == 0 {
		l.busy = false
		l.d.busy.Done()
		return false
	}
	b := l.queue[0]
	if b.stream.Interval == 0 || len(l.queue) > 1 || b.full() || l.closed {
		return true
	}
	wait := time.Until(b.born.Add(b.stream.Interval))
	if wait <= 0 {
		return true
	}
	l.resting = true
	if l.alarm == nil {
		l.alarm = time.AfterFunc(wait, l.wake)
	} else {
		l.alarm.Reset(wait)
	}
	return false
}

// wake ends a rest that has lasted long enough.
func (l *lane) wake() {
	l.mu.Lock()
	ready := l.resting && l.proceed()
	l.mu.Unlock()
	if ready {
		l.d.gate.offer(l)
	}
}

// release follows the end of the load that held the lane, and reports whether the
// lane is to stand in the gate's queue again.
func (l *lane) release() (ready bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.proceed()
}

func (l *lane) close() {
	l.mu.Lock()
	l.closed = true
	if l.alarm != nil {
		l.alarm.Stop()
	}
	l.mu.Unlock()
	l.wake()
}

// board moves the first batch of a lane that stands in the gate's queue to where
// it fits. It returns false when the lane is to stay where it stands.
func (l *lane) board(to *load) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 {
		l.proceed()
		return true
	}
	b := l.queue[0]
	if !to.fits(b) {
		return false
	}
	l.queue[0] = nil
	l.queue = l.queue[1:]
	to.board(l, b)
	return true
}

// vacate reports whether nothing is left of a lane that stands in the gate's queue,
// which it leaves then.
func (l *lane) vacate() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) > 0 {
		return false
	}
	l.proceed()
	return true
}

// sweep takes out the parcels for which refusal has an error, and appends them to
// out with it.
func (l *lane) sweep(out []settlement, refusal refusal) []settlement {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue, out = sweep(l.queue, out, refusal)
	if l.resting && len(l.queue) == 0 {
		l.proceed()
	}
	return out
}

// sweep takes items out of batches, and batches of which nothing is left.
func sweep(batches []*batch, out []settlement, refusal refusal) ([]*batch, []settlement) {
	return slices.DeleteFunc(batches, func(b *batch) bool {
		out = b.drop(out, refusal)
		if len(b.items) > 0 {
			return false
		}
		b.free()
		return true
	}), out
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
