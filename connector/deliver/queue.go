package deliver

import "time"

// Before the gate stand loads of which another request is to be made, and then the
// lanes that have something to send, in the order in which they came. Carriers fetch
// it: goroutines, of which there is none when there is nothing to carry, and one for
// each request in flight. A new one comes when there is room for its request. Only
// one at a time is on its way, and what arrives until it is there goes with it.

// offer has a lane stand in the queue, unless all that it had has been settled.
func (g *gate) offer(l *lane) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closure.Load() != nil && l.vacate() {
		return
	}
	g.lanes = append(g.lanes, l)
	g.advance(time.Now())
}

// advance calls a carrier, when there is something to carry and room.
func (g *gate) advance(now time.Time) {
	if !g.called && len(g.loads)+len(g.lanes) > 0 && g.choose(now) != nil {
		g.called = true
		g.d.carriers.Go(g.d.carry)
	}
}

// arrive is next for a carrier that was called.
func (g *gate) arrive() (*load, *endpoint) {
	g.mu.Lock()
	g.called = false
	g.mu.Unlock()
	return g.next()
}

// next returns what is to be carried now, and the endpoint for one request; leave
// must follow, or skip, and put. It returns nil when there is nothing to carry, or
// no room.
func (g *gate) next() (*load, *endpoint) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	e := g.choose(now)
	if e == nil {
		return nil, nil
	}
	l := g.fetch()
	if l == nil {
		return nil, nil
	}
	g.admit(e)
	g.advance(now)
	return l, e
}

// fetch takes a load out of the queue, or makes one of the first lane and of those
// that fit with it. It returns nil when there is none.
func (g *gate) fetch() *load {
	if len(g.loads) > 0 {
		l := g.loads[0]
		g.loads = g.loads[1:]
		return l
	}
	l := new(load)
	kept := g.lanes[:0]
	for i, lane := range g.lanes {
		if l.full() {
			kept = append(kept, g.lanes[i:]...)
			break
		}
		if !lane.board(l) {
			kept = append(kept, lane)
		}
	}
	clear(g.lanes[len(kept):])
	g.lanes = kept
	if len(l.lanes) == 0 {
		return nil
	}
	return l
}

// put gives back a load after a request: when there is more of it, it is the next
// in the queue, otherwise it lets its lanes go.
func (g *gate) put(l *load) {
	g.mu.Lock()
	more := len(l.batches) > 0
	if more {
		g.loads = append(g.loads, l)
	} else {
		g.release(l)
	}
	g.advance(time.Now())
	g.mu.Unlock()
	if more && g.closure.Load() != nil {
		g.sweep()
	}
}

// release lets the lanes of l go, and has those that have something stand in the
// queue again.
func (g *gate) release(l *load) {
	for _, lane := range l.lanes {
		if lane.release() {
			g.lanes = append(g.lanes, lane)
		}
	}
}
