package deliver

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aerosink/aerosink/connector/deliver/post"
)

// gate decides which request is made next, to which endpoint, and when. Its queue holds
// jobs that need another request, and after them lanes with something to send, in order of
// arrival.
//
// Workers take jobs from it: there is one goroutine for each request in flight, and none
// when there is nothing to send. A worker starts when its request is allowed. At most one
// is starting at a time, and its request takes all that arrives until it runs.
type gate struct {
	d      *Destination
	outage atomic.Pointer[outage] // nil while requests can be made

	mu        sync.Mutex
	endpoints []*endpoint
	turn      int // index of the endpoint that is preferred among equally busy ones
	limiter   limiter
	batches   batchLimit
	width     width
	inFlight  int
	jobs      []*job      // need another request
	lanes     []*lane     // have something to send
	starting  bool        // a worker is starting
	reopening *time.Timer // ends an outage that has an end
	aborted   bool

	sweepMu sync.Mutex // held during a sweep
}

// outage is why no request can be made.
type outage struct {
	until time.Time // zero if unknown
	err   error
}

var errUnhealthy = errors.New("no endpoint is healthy")

// outageError returns the error for an item that an outage keeps from being sent before
// its deadline, otherwise nil.
func (g *gate) outageError(deadline time.Time) error {
	if o := g.outage.Load(); o != nil && (o.until.IsZero() || deadline.Before(o.until)) {
		return o.err
	}
	return nil
}

// enqueue adds a lane to the queue, unless all its items have got their verdict meanwhile.
func (g *gate) enqueue(l *lane) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.outage.Load() != nil && l.leaveIfEmpty() {
		return
	}
	g.lanes = append(g.lanes, l)
	g.startWorker(time.Now())
}

// startWorker starts a worker if there is something to send and a request is allowed.
func (g *gate) startWorker(now time.Time) {
	if !g.starting && len(g.jobs)+len(g.lanes) > 0 && g.choose(now) != nil {
		g.starting = true
		g.d.workers.Go(g.d.work)
	}
}

// choose returns the endpoint for one more request, or nil if none is allowed.
func (g *gate) choose(now time.Time) *endpoint {
	if g.aborted || g.inFlight >= g.maxLocked() {
		return nil
	}
	var best *endpoint
	for i := range g.endpoints {
		e := g.endpoints[(g.turn+i)%len(g.endpoints)]
		if e.unhealthy || now.Before(e.resume) || e.inFlight >= e.maxInFlight {
			continue
		}
		if best == nil || e.inFlight < best.inFlight {
			best = e
		}
	}
	return best
}

// first lets another worker start, and then calls next.
func (g *gate) first() (*job, *endpoint) {
	g.mu.Lock()
	g.starting = false
	g.mu.Unlock()
	return g.next()
}

// next returns a job that needs a request, and the endpoint for it. The caller must call
// leave after the request, or skip if it made none, and then done. It returns nil if there
// is nothing to send, or no request is allowed.
func (g *gate) next() (*job, *endpoint) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	e := g.choose(now)
	if e == nil {
		return nil, nil
	}
	j := g.take()
	if j == nil {
		return nil, nil
	}
	g.turn = (slices.Index(g.endpoints, e) + 1) % len(g.endpoints)
	g.inFlight++
	e.inFlight++
	g.startWorker(now)
	return j, e
}

// take takes a job from the queue, or makes one from the first lane and others that fit
// with it. It returns nil if the queue is empty.
func (g *gate) take() *job {
	if len(g.jobs) > 0 {
		j := g.jobs[0]
		g.jobs = g.jobs[1:]
		return j
	}
	j := new(job)
	kept := g.lanes[:0]
	for i, l := range g.lanes {
		if j.isFull(&g.batches) {
			kept = append(kept, g.lanes[i:]...)
			break
		}
		if !l.moveTo(j, &g.batches) {
			kept = append(kept, l)
		}
	}
	clear(g.lanes[len(kept):])
	g.lanes = kept
	if len(j.lanes) == 0 {
		return nil
	}
	return j
}

// leave ends a request of b that was sent at sent. It adjusts the limits to the response.
func (g *gate) leave(e *endpoint, b *batch, sent time.Time, resp *post.Response) {
	g.mu.Lock()
	now := time.Now()
	g.learn(b, sent, now, resp)
	g.inFlight--
	e.inFlight--
	onHold := resp.Resume.After(e.resume)
	if onHold {
		e.resume = resp.Resume
		g.updateOutage(now)
	}
	g.startWorker(now)
	g.mu.Unlock()
	if onHold {
		g.sweep()
	}
}

// learn adjusts how many requests are allowed, and how many changes in each, to the response
// to a request of b. A timeout tells nothing about the size if the request had little time,
// because its changes had waited long.
func (g *gate) learn(b *batch, sent, now time.Time, resp *post.Response) {
	n := len(b.items)
	if resp.Overloaded {
		g.limiter.decrease(g.maxLocked(), sent, now)
		if resp.TimedOut && b.request.Deadline.Sub(sent) >= min(g.d.config.CallTimeout/2, time.Second) {
			g.batches.decrease(n, sent, now)
		}
		return
	}
	if resp.Status == 0 || resp.Status >= http.StatusInternalServerError {
		return
	}
	all := g.inFlight >= g.maxLocked()
	g.limiter.increase(g.inFlight)
	g.width.learn(b.fullness(g.batches.of(b.stream)), all)
	if resp.Err == nil {
		g.batches.increase(b.stream, n)
	}
}

// maxRecords returns how many changes of s a request may carry.
func (g *gate) maxRecords(s *Stream) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.batches.of(s)
}

// batchLimit returns how many changes a request may carry, of the stream that allows most.
func (g *gate) batchLimit() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return min(g.batches.most, int(g.batches.now))
}

// skip is called instead of leave if no request was made.
func (g *gate) skip(e *endpoint) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inFlight--
	e.inFlight--
	g.startWorker(time.Now())
}

// done is called when a worker is done with a job. If the job needs another request, it is
// queued; otherwise its lanes are released.
func (g *gate) done(j *job) {
	g.mu.Lock()
	more := len(j.batches) > 0
	if more {
		g.jobs = append(g.jobs, j)
	} else {
		g.release(j)
	}
	g.startWorker(time.Now())
	g.mu.Unlock()
	if more && g.outage.Load() != nil {
		g.sweep()
	}
}

// release releases the lanes of j, and queues those that have something to send.
func (g *gate) release(j *job) {
	for _, l := range j.lanes {
		if l.release() {
			g.lanes = append(g.lanes, l)
		}
	}
}

// sweep rejects the waiting items whose deadline has passed, and those that an outage keeps
// from being sent in time. Sweeps do not overlap: when sweep returns, no such item is left
// of those that waited before.
func (g *gate) sweep() {
	g.sweepMu.Lock()
	defer g.sweepMu.Unlock()
	now := time.Now()
	late := tooLate(now)
	reason := func(deadline time.Time) error {
		if err := late(deadline); err != nil {
			return err
		}
		return g.outageError(deadline)
	}
	var out []rejection
	for _, l := range g.d.lanes {
		out = l.sweep(out, reason)
	}
	g.mu.Lock()
	g.jobs = slices.DeleteFunc(g.jobs, func(j *job) bool {
		if out = j.sweep(out, reason); len(j.batches) > 0 {
			return false
		}
		g.release(j)
		return true
	})
	g.lanes = slices.DeleteFunc(g.lanes, (*lane).leaveIfEmpty)
	g.startWorker(now)
	g.mu.Unlock()
	g.d.reject(out)
}

// setHealth sets whether an endpoint is healthy, and the error of its last check.
func (g *gate) setHealth(e *endpoint, healthy bool, err error) {
	g.mu.Lock()
	e.unhealthy, e.checkErr = !healthy, err
	g.mu.Unlock()
	g.reconsider()
}

// reconsider updates the outage, and then starts a worker or rejects items.
func (g *gate) reconsider() {
	g.mu.Lock()
	now := time.Now()
	g.updateOutage(now)
	g.startWorker(now)
	g.mu.Unlock()
	g.sweep()
}

// updateOutage sets outage: whether requests can be made, and if not, until when and why.
func (g *gate) updateOutage(now time.Time) {
	if g.aborted {
		return
	}
	o := &outage{err: errUnhealthy}
	for _, e := range g.endpoints {
		switch {
		case e.unhealthy:
			if o.until.IsZero() {
				o.err = fmt.Errorf("%w; the last check: %w", errUnhealthy, e.checkErr)
			}
		case !now.Before(e.resume):
			g.outage.Store(nil)
			return
		case o.until.IsZero() || e.resume.Before(o.until):
			o.until = e.resume
			o.err = fmt.Errorf("asked to wait until %s", e.resume.UTC().Format(time.RFC3339))
		}
	}
	if g.reopening != nil {
		g.reopening.Stop()
	}
	if !o.until.IsZero() {
		g.reopening = time.AfterFunc(o.until.Sub(now), g.reconsider)
	}
	g.outage.Store(o)
}

// abort prevents further requests and rejects the waiting items.
func (g *gate) abort() {
	g.mu.Lock()
	g.aborted = true
	if g.reopening != nil {
		g.reopening.Stop()
	}
	g.outage.Store(&outage{err: post.ErrClosed})
	g.mu.Unlock()
	g.sweep()
}

// hold returns how long it takes until all endpoints accept requests, as far as a
// Retry-After says.
func (g *gate) hold() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	var longest time.Duration
	for _, e := range g.endpoints {
		longest = max(longest, time.Until(e.resume))
	}
	return longest
}

// maxLocked returns how many requests may be in flight. The caller holds g.mu.
func (g *gate) maxLocked() int { return int(min(g.limiter.now, g.width.now)) }

// max is maxLocked for callers that do not hold g.mu.
func (g *gate) max() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.maxLocked()
}

// busy returns how many requests are in flight.
func (g *gate) busy() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.inFlight
}

// healthy returns how many endpoints are healthy.
func (g *gate) healthy() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := 0
	for _, e := range g.endpoints {
		if !e.unhealthy {
			n++
		}
	}
	return n
}
