package deliver

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// gate lets requests out: to the endpoint with the fewest in flight of those that
// are well, and no more at once than the limit and the width say.
type gate struct {
	d       *Destination
	closure atomic.Pointer[closure] // nil while requests can be made

	mu        sync.Mutex
	endpoints []*endpoint
	turn      int // of the endpoint to begin with, where equally many are in flight
	limit     limit
	width     width
	inFlight  int
	loads     []*load     // of which another request is to be made
	lanes     []*lane     // that have something to send
	called    bool        // a carrier is on its way
	reopening *time.Timer // while all endpoints are held
	aborted   bool

	sweeping sync.Mutex // is held while what waits is looked through
}

// closure says why no request can be made.
type closure struct {
	until time.Time // zero is until further notice
	err   error
}

var errSick = errors.New("no endpoint is healthy")

// refusal returns the error for a parcel that could only wait in vain.
func (g *gate) refusal(deadline time.Time) error {
	if c := g.closure.Load(); c != nil && (c.until.IsZero() || deadline.Before(c.until)) {
		return c.err
	}
	return nil
}

// choose returns the endpoint for one request, or nil when there is no room.
func (g *gate) choose(now time.Time) *endpoint {
	if g.aborted || g.inFlight >= g.most() {
		return nil
	}
	var best *endpoint
	for i := range g.endpoints {
		e := g.endpoints[(g.turn+i)%len(g.endpoints)]
		if e.sick || now.Before(e.resume) || e.inFlight >= e.most {
			continue
		}
		if best == nil || e.inFlight < best.inFlight {
			best = e
		}
	}
	return best
}

// admit begins a request to e, after which it is the turn of the next endpoint.
func (g *gate) admit(e *endpoint) {
	g.turn = (slices.Index(g.endpoints, e) + 1) % len(g.endpoints)
	g.inFlight++
	e.inFlight++
}

// leave ends a request that was sent at a time, of a batch as full as fullness says,
// and learns from how it went.
func (g *gate) leave(e *endpoint, sent time.Time, a *answer, fullness float64) {
	g.mu.Lock()
	now := time.Now()
	switch {
	case a.overload:
		g.limit.shrink(g.most(), sent, now)
	case a.status != 0 && a.status < http.StatusInternalServerError:
		all := g.inFlight >= g.most()
		g.limit.grow(g.inFlight)
		g.width.learn(fullness, all)
	}
	g.inFlight--
	e.inFlight--
	held := a.resume.After(e.resume)
	if held {
		e.resume = a.resume
		g.review(now)
	}
	g.advance(now)
	g.mu.Unlock()
	if held {
		g.sweep()
	}
}

// skip ends what next began without a request.
func (g *gate) skip(e *endpoint) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inFlight--
	e.inFlight--
	g.advance(time.Now())
}

// judge says whether an endpoint is healthy, and what the last check said.
func (g *gate) judge(e *endpoint, healthy bool, ailment error) {
	g.mu.Lock()
	e.sick, e.ailment = !healthy, ailment
	g.mu.Unlock()
	g.look()
}

// held reports whether e asked for no requests now.
func (g *gate) held(e *endpoint) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return time.Now().Before(e.resume)
}

// look opens or closes the gate, as the endpoints are now.
func (g *gate) look() {
	g.mu.Lock()
	now := time.Now()
	g.review(now)
	g.advance(now)
	g.mu.Unlock()
	g.sweep()
}

// review finds out whether requests can be made, and when again.
func (g *gate) review(now time.Time) {
	if g.aborted {
		return
	}
	c := &closure{err: errSick}
	for _, e := range g.endpoints {
		switch {
		case e.sick:
			if c.until.IsZero() {
				c.err = fmt.Errorf("%w; the last check: %w", errSick, e.ailment)
			}
		case !now.Before(e.resume):
			g.closure.Store(nil)
			return
		case c.until.IsZero() || e.resume.Before(c.until):
			c.until = e.resume
			c.err = fmt.Errorf("asked to wait until %s", e.resume.UTC().Format(time.RFC3339))
		}
	}
	if g.reopening != nil {
		g.reopening.Stop()
	}
	if !c.until.IsZero() {
		g.reopening = time.AfterFunc(c.until.Sub(now), g.look)
	}
	g.closure.Store(c)
}

// abort lets nothing through any more.
func (g *gate) abort() {
	g.mu.Lock()
	g.aborted = true
	if g.reopening != nil {
		g.reopening.Stop()
	}
	g.closure.Store(&closure{err: errClosed})
	g.mu.Unlock()
	g.sweep()
}

// most returns how many requests may be in flight.
func (g *gate) most() int { return int(min(g.limit.now, g.width.now)) }

// allowed returns the same, to who does not hold the lock.
func (g *gate) allowed() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.most()
}

// busy returns how many requests are in flight.
func (g *gate) busy() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.inFlight
}
