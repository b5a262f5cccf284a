package deliver

import (
	"sync"
	"time"

	"github.com/aerosink/aerosink/connector/deliver/post"
)

// lane is a queue of batches, of which at most one request is in flight. A busy lane is
// resting, in the gate's queue, or held by a job.
type lane struct {
	d *Destination

	mu      sync.Mutex
	queue   []*batch // in order of arrival; items are added to the last one
	busy    bool
	resting bool        // waits for more items
	timer   *time.Timer // ends the rest; nil before the first one
	closed  bool
}

// add queues i. It returns an error if i cannot be sent before its deadline.
func (l *lane) add(i *Item) error {
	ready, err := l.enqueue(i)
	if ready {
		l.d.gate.enqueue(l)
	}
	return err
}

// enqueue queues i, and reports whether the caller has to put the lane into the gate's
// queue.
func (l *lane) enqueue(i *Item) (ready bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false, post.ErrClosed
	}
	if err := l.d.gate.outageError(i.Deadline); err != nil {
		return false, err
	}
	var b *batch
	if n := len(l.queue); n > 0 && l.queue[n-1].fits(i) {
		b = l.queue[n-1]
	} else {
		b = newBatch(i.Stream)
		l.queue = append(l.queue, b)
	}
	b.add(i)
	switch {
	case !l.busy:
		l.busy = true
		l.d.busyLanes.Add(1)
		return l.proceed(), nil
	case l.resting && (b.isFull() || len(l.queue) > 1):
		return l.proceed(), nil
	}
	return false, nil
}

// proceed decides what a busy lane does next when it is neither in the gate's queue nor
// held by a job. It reports whether the lane has to go into the queue.
func (l *lane) proceed() (ready bool) {
	l.resting = false
	if len(l.queue) == 0 {
		l.busy = false
		l.d.busyLanes.Done()
		return false
	}
	b := l.queue[0]
	if b.stream.Interval == 0 || len(l.queue) > 1 || b.isFull() || l.closed {
		return true
	}
	wait := time.Until(b.created.Add(b.stream.Interval))
	if wait <= 0 {
		return true
	}
	l.resting = true
	if l.timer == nil {
		l.timer = time.AfterFunc(wait, l.wake)
	} else {
		l.timer.Reset(wait)
	}
	return false
}

// wake ends a rest.
func (l *lane) wake() {
	l.mu.Lock()
	ready := l.resting && l.proceed()
	l.mu.Unlock()
	if ready {
		l.d.gate.enqueue(l)
	}
}

// release is called when the job that held the lane has ended. It reports whether the lane
// has to go into the gate's queue again.
func (l *lane) release() (ready bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.proceed()
}

func (l *lane) close() {
	l.mu.Lock()
	l.closed = true
	if l.timer != nil {
		l.timer.Stop()
	}
	l.mu.Unlock()
	l.wake()
}

// moveTo moves the first batch of a lane in the gate's queue to a job. It returns false if
// the batch does not fit, and the lane has to stay in the queue.
func (l *lane) moveTo(j *job, limit *batchLimit) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 {
		l.proceed()
		return true
	}
	b := l.queue[0]
	if !j.fits(b, limit) {
		return false
	}
	l.queue[0] = nil
	l.queue = l.queue[1:]
	j.add(l, b)
	return true
}

// leaveIfEmpty reports whether a lane in the gate's queue is empty, and has to be removed
// from the queue.
func (l *lane) leaveIfEmpty() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) > 0 {
		return false
	}
	l.proceed()
	return true
}

// sweep removes the items that reason has an error for, and appends them to out.
func (l *lane) sweep(out []rejection, reason rejectReason) []rejection {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue, out = sweep(l.queue, out, reason)
	if l.resting && len(l.queue) == 0 {
		l.proceed()
	}
	return out
}

// depth returns how many changes wait in the lane.
func (l *lane) depth() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, b := range l.queue {
		n += len(b.items)
	}
	return n
}
