package archive

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/aerosink/aerosink/function/sink"
)

// outcome is how writing an object ended.
type outcome int

const (
	failed  outcome = iota // it is not there
	doubted                // it may be there, or come to be
	written                // it is there
	met                    // it was there before
)

// ticket is a Put in the group.
type ticket struct {
	open int // objects that it waits for
	left bool
}

// enter begins a Put, leave ends it.
func (g *group) enter() *ticket {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.puts++
	return &ticket{}
}

func (g *group) leave(t *ticket) {
	g.mu.Lock()
	defer g.mu.Unlock()
	t.left = true
	g.puts--
	if t.open > 0 {
		g.blocked--
	}
	g.closeWorthwhile()
}

// start has an object written that is closed.
func (g *group) start(o *object) {
	ctx, cancel := context.WithCancel(context.Background()) // no Put may end what others wait for
	o.round.cancel = cancel
	go g.run(ctx, o, o.round)
}

func (g *group) run(ctx context.Context, o *object, r *round) {
	defer r.cancel()
	out, err := failed, error(nil)
	defer func() {
		if value := recover(); value != nil {
			err = fmt.Errorf("archive in %s: %w", g.url, &sink.Panic{Value: value, Stack: debug.Stack()})
			if o.content != nil {
				out = doubted
			}
		}
		g.settle(r, out, err)
	}()
	if o.parts != nil {
		err = g.seal(ctx, o, r)
	}
	if err == nil {
		out, err = g.write(ctx, o)
	}
}

// seal makes the content, in its turn.
func (g *group) seal(ctx context.Context, o *object, r *round) error {
	if o.encoding.rows != nil {
		defer close(r.taken)
	}
	if err := g.turns.take(ctx); err != nil {
		return err
	}
	defer g.turns.give()
	return o.seal()
}

// settle ends a round.
func (g *group) settle(r *round, out outcome, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	o := r.object
	o.round, r.err = nil, err
	o.doubt = o.doubt || out == doubted
	switch {
	case out == written || out == met:
		o.content = nil
		g.memory.keep(o, time.Now())
	case o.doubt:
		g.memory.keep(o, time.Now())
	default:
		g.memory.drop(o)
	}
	close(r.settled)
}

// await returns when the object of the round is settled, or ctx is done and the
// memory of the Put's batch is no longer needed.
func (g *group) await(ctx context.Context, r *round) error {
	select {
	case <-r.settled:
		return r.err
	case <-ctx.Done():
	}
	if !g.abandon(r) {
		<-r.taken
		return fmt.Errorf("archive in %s: an object is not there in time: %w", g.url, ctx.Err())
	}
	<-r.settled
	if r.err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ctx.Err(), r.err)
}

// abandon ends what nobody waits for any more, and reports whether that is so.
func (g *group) abandon(r *round) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r.waiting--; r.waiting > 0 {
		return false
	}
	switch o := r.object; {
	case o.round != r: // it is settled
	case o.open:
		g.shut(o)
		g.memory.drop(o)
		o.round, r.err = nil, fmt.Errorf("archive in %s: an object is given up before it is written", g.url)
		close(r.settled)
	default:
		r.cancel()
	}
	return true
}
