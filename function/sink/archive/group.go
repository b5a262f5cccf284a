package archive

import (
	"context"
	"sync"
	"time"
)

// group lets Puts that run at the same time share objects. An object takes the parts
// of its folder while it is open. It is closed, and then written, when the first of
// these comes:
//
//   - it has lingered,
//   - half of what one of its Puts has left of its time is over,
//   - it has max-bytes or max-changes,
//   - it is worthwhile and nobody is left to add to it: every Put that runs waits
//     for an object that is open. Senders that wait for answers before they send more
//     would otherwise linger with it.
//
// Goroutines run only while a Put waits for what they do; the last that gives up
// ends them, and waits for that.
type group struct {
	*settings
	write func(ctx context.Context, o *object) (outcome, error)
	turns turns // at the processor

	mu      sync.Mutex
	open    map[target]*object
	memory  memory
	puts    int // that run
	blocked int // of them, those that wait for an open object
}

// target is what parts that share an object have in common.
type target struct {
	folder   string
	encoding *encoding
}

// worthwhile is the size in bytes, uncompressed, from which an object may be closed
// before it has lingered: from here on storing it for a month costs more than writing it.
const worthwhile = 4 << 20

func newGroup(s *settings, write func(context.Context, *object) (outcome, error), processor turns) *group {
	return &group{settings: s, write: write, turns: processor, open: map[target]*object{}, memory: memory{objects: map[key]*object{}}}
}

// join brings the parts of a Put into objects, and returns what to wait for: for
// each part a round, nil where the part is there already.
func (g *group) join(ctx context.Context, t *ticket, parts []*part) []*round {
	now := time.Now()
	linger := g.linger
	if deadline, ok := ctx.Deadline(); ok {
		linger = min(linger, deadline.Sub(now)/2)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.memory.forget(now)
	rounds := make([]*round, len(parts))
	for i, p := range parts {
		o := g.objectOf(p, now)
		if o.round == nil {
			continue
		}
		rounds[i] = o.round
		o.round.waiting++
		if o.open {
			g.wait(t, o, now.Add(linger))
		}
	}
	g.closeWorthwhile()
	return rounds
}

// objectOf returns the object that the part is in. It has no round if it is there.
func (g *group) objectOf(p *part, now time.Time) *object {
	o := g.memory.objects[p.key]
	switch {
	case o == nil:
		o = g.place(p)
	case o.round != nil: // it is open, or being written
	case o.content == nil:
		g.memory.touch(o, now)
	default: // in doubt: as it was first, it is written again
		g.memory.take(o)
		o.begin(false)
		g.start(o)
	}
	return o
}

// place adds the part to an open object.
func (g *group) place(p *part) *object {
	at := target{p.folder, p.encoding}
	o := g.open[at]
	if o != nil && (o.size+p.size > g.maxBytes || o.changes+len(p.changes) > g.maxChanges) {
		g.close(o)
		o = nil
	}
	if o == nil {
		o = &object{folder: p.folder, encoding: p.encoding, open: true}
		o.begin(p.rows != nil)
		g.open[at] = o
	}
	o.add(p)
	g.memory.objects[p.key] = o
	return o
}

// wait notes that a Put waits for an open object, which lingers until then at most.
func (g *group) wait(t *ticket, o *object, until time.Time) {
	o.round.blocked = append(o.round.blocked, t)
	if t.open++; t.open == 1 {
		g.blocked++
	}
	switch {
	case g.linger == 0 || o.size >= g.maxBytes || o.changes >= g.maxChanges:
		g.close(o)
	case o.timer == nil:
		o.closes = until
		o.timer = time.AfterFunc(time.Until(until), func() { g.lapse(o) })
	case until.Before(o.closes):
		o.closes = until
		o.timer.Reset(time.Until(until))
	}
}

// lapse closes an object that has lingered.
func (g *group) lapse(o *object) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if o.open {
		g.close(o)
	}
}

// closeWorthwhile closes objects that nobody is left to add to.
func (g *group) closeWorthwhile() {
	if g.blocked < g.puts {
		return
	}
	for _, o := range g.open {
		if o.size >= worthwhile {
			g.close(o)
		}
	}
}

// close takes an object off those that are open, and has it written.
func (g *group) close(o *object) {
	g.shut(o)
	g.start(o)
}

func (g *group) shut(o *object) {
	o.open = false
	delete(g.open, target{o.folder, o.encoding})
	if o.timer != nil {
		o.timer.Stop()
	}
	for _, t := range o.round.blocked {
		if t.open--; t.open == 0 && !t.left {
			g.blocked--
		}
	}
}
