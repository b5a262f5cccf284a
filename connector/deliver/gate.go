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

// gate decides which request goes next, to which endpoint, and when. Its queue holds jobs
// that need another request, and then lanes with something to send, in the order in which
// they came.
//
// Workers take jobs from it: there is one goroutine for each request in flight, and none
// when there is nothing to send. A new one starts when there is room for its request. Only
// one at a time is starting, and what arrives until then goes with its request.
type gate struct {
	d      *Destination
	outage atomic.Pointer[outage] // nil while requests can be made

	mu        sync.Mutex
	endpoints []*endpoint
	turn      int // index of the endpoint to begin with, among equally busy ones
	limiter   limiter
	width     width
	inFlight  int
	jobs      []*job      // that need another request
	lanes     []*lane     // with something to send
	starting  bool        // a worker is starting
	reopening *time.Timer // while all endpoints are on hold
	aborted   bool

	sweepMu sync.Mutex // held during a sweep
}

// outage says why no request can be made.
type outage struct {
	until time.Time // zero is until further notice
	err   error
}

var errUnhealthy = errors.New("no endpoint is healthy")

// outageError returns the error for an item with this deadline if it could only wait in
// vain, otherwise nil.
func (g *gate) outageError(deadline time.Time) error {
	if o := g.outage.Load(); o != nil && (o.until.IsZero() || deadline.Before(o.until)) {
		return o.err
	}
	return nil
}

// enqueue adds a lane to the queue, unless all its items got their verdict meanwhile.
func (g *gate) enqueue(l *lane) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.outage.Load() != nil && l.leaveIfEmpty() {
		return
	}
	g.lanes = append(g.lanes, l)
	g.startWorker(time.Now())
}

// startWorker starts a worker if there is something to send and room for a request.
func (g *gate) startWorker(now time.Time) {
	if !g.starting && len(g.jobs)+len(g.lanes) > 0 && g.choose(now) != nil {
		g.starting = true
		g.d.workers.Go(g.d.work)
	}
}

// choose returns the endpoint for one request, nil if there is no room for one.
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

// first is next for a worker that has started.
func (g *gate) first() (*job, *endpoint) {
	g.mu.Lock()
	g.starting = false
	g.mu.Unlock()
	return g.next()
}

// next returns a job to make one request of, and the endpoint for it. Call leave after the
// request, or skip if there was none, and then done. It returns nil if there is nothing to
// send, or no room.
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

// take takes a job from the queue, or makes one from the first lane and those that fit with
// it. It returns nil if there is none.
func (g *gate) take() *job {
	if len(g.jobs) > 0 {
		j := g.jobs[0]
		g.jobs = g.jobs[1:]
		return j
	}
	j := new(job)
	kept := g.lanes[:0]
	for i, l := range g.lanes {
		if j.isFull() {
			kept = append(kept, g.lanes[i:]...)
			break
		}
		if !l.moveTo(j) {
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

// leave ends a request that was sent at the given time, and learns from its response and
// from how full its batch was.
func (g *gate) leave(e *endpoint, sent time.Time, resp *post.Response, fullness float64) {
	g.mu.Lock()
	now := time.Now()
	switch {
	case resp.Overloaded:
		g.limiter.decrease(g.maxLocked(), sent, now)
	case resp.Status != 0 && resp.Status < http.StatusInternalServerError:
		all := g.inFlight >= g.maxLocked()
		g.limiter.increase(g.inFlight)
		g.width.learn(fullness, all)
	}
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

// skip ends what next began, without a request.
func (g *gate) skip(e *endpoint) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inFlight--
	e.inFlight--
	g.startWorker(time.Now())
}

// done takes a job back after a request. If it needs another one, it is queued; otherwise
// its lanes are released.
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

// release releases the lanes of j, and queues those with something to send again.
func (g *gate) release(j *job) {
	for _, l := range j.lanes {
		if l.release() {
			g.lanes = append(g.lanes, l)
		}
	}
}

// sweep rejects the waiting items that are too late, and those that could only wait in
// vain. Sweeps run one after another, so that when sweep returns no such item is left that
// was there before.
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

// setHealth says whether an endpoint is healthy, and what its last check said.
func (g *gate) setHealth(e *endpoint, healthy bool, err error) {
	g.mu.Lock()
	e.unhealthy, e.checkErr = !healthy, err
	g.mu.Unlock()
	g.reconsider()
}

// reconsider finds out whether requests can be made, and goes on accordingly.
func (g *gate) reconsider() {
	g.mu.Lock()
	now := time.Now()
	g.updateOutage(now)
	g.startWorker(now)
	g.mu.Unlock()
	g.sweep()
}

// updateOutage finds out whether requests can be made, and when again.
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

// abort lets no more requests go.
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

// isOnHold reports whether e asked for no requests now.
func (g *gate) isOnHold(e *endpoint) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return time.Now().Before(e.resume)
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
