package deliver

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// gate lets requests out: to the endpoint with the fewest in flight of those that
// are well, and no more than the limit at once. Lanes stand before it in a queue.
type gate struct {
	closure atomic.Pointer[closure] // nil while requests can be made
	lanes   []*lane

	mu        sync.Mutex
	endpoints []*endpoint
	next      int // endpoint, where equally many are in flight
	limit     limit
	inFlight  int
	queue     []*lane
	reopening *time.Timer // while all endpoints are held
	aborted   bool
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

// enter waits for the lane's turn, and returns the endpoint for one request; leave
// must follow. It returns nil when the lane should look after its parcels: because
// some may be refused now, or because it is late.
func (g *gate) enter(l *lane, late time.Time) *endpoint {
	g.mu.Lock()
	if c := g.closure.Load(); c != nil && c.until.IsZero() {
		g.mu.Unlock()
		return nil
	}
	if len(g.queue) == 0 {
		if e := g.choose(time.Now()); e != nil {
			g.mu.Unlock()
			return e
		}
	}
	g.queue = append(g.queue, l)
	g.mu.Unlock()

	l.sleep(time.Until(late))

	g.mu.Lock()
	defer g.mu.Unlock()
	if e := l.granted; e != nil {
		l.granted = nil
		return e
	}
	for i, other := range g.queue {
		if other == l {
			g.queue = append(g.queue[:i], g.queue[i+1:]...)
			break
		}
	}
	return nil
}

// choose admits one request, to the endpoint that it returns, or none.
func (g *gate) choose(now time.Time) *endpoint {
	if g.aborted || !g.limit.allows(g.inFlight) {
		return nil
	}
	var best *endpoint
	after := 0
	for i := range g.endpoints {
		e := g.endpoints[(g.next+i)%len(g.endpoints)]
		if e.sick || now.Before(e.resume) || e.inFlight >= e.most {
			continue
		}
		if best == nil || e.inFlight < best.inFlight {
			best, after = e, g.next+i+1
		}
	}
	if best != nil {
		g.next = after % len(g.endpoints)
		g.inFlight++
		best.inFlight++
	}
	return best
}

// leave ends a request that was sent at a time, and learns from how it went.
func (g *gate) leave(e *endpoint, sent time.Time, a *answer) {
	g.mu.Lock()
	now := time.Now()
	switch {
	case a.overload:
		g.limit.shrink(sent, now)
	case a.status != 0 && a.status < http.StatusInternalServerError:
		g.limit.grow(g.inFlight)
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

// skip ends what enter began without a request.
func (g *gate) skip(e *endpoint) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inFlight--
	e.inFlight--
	g.advance(time.Now())
}

// advance lets in who waits, as far as there is room.
func (g *gate) advance(now time.Time) {
	for len(g.queue) > 0 {
		e := g.choose(now)
		if e == nil {
			return
		}
		g.queue[0].granted = e
		g.queue[0].signal()
		g.queue = g.queue[1:]
	}
}

// judge says whether an endpoint is healthy.
func (g *gate) judge(e *endpoint, healthy bool) {
	g.mu.Lock()
	e.sick = !healthy
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

// sweep has the lanes settle what could only wait in vain.
func (g *gate) sweep() {
	if g.closure.Load() == nil {
		return
	}
	for _, l := range g.lanes {
		l.sweep()
		l.signal()
	}
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

// allowed returns how many requests may be in flight.
func (g *gate) allowed() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return int(g.limit.now)
}

// busy returns how many requests are in flight.
func (g *gate) busy() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.inFlight
}
