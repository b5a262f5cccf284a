package replay

import (
	"context"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/replay/newest"
	"github.com/aerosink/aerosink/function/replay/objects"
	"github.com/aerosink/aerosink/function/sink"
)

// found is what a restore has to do for some records.
type found struct {
	changes []format.Parsed // a write or a delete for each
	places  []place         // of changes
	sum     Summary
}

// place is where in the archive a change is.
type place struct {
	object string
	line   int
}

// add adds a change of that line.
func (f *found) add(c change.Change, object string, line int) {
	f.changes = append(f.changes, format.Parsed{Change: c})
	f.places = append(f.places, place{object, line})
}

// mark is how far a restore has come: to a chunk of an object, or to a bucket of joined
// updates. The zero mark is no place to continue from.
type mark struct {
	object *newest.PlannedObject
	chunk  int  // that are done
	whole  bool // the object is done
	bucket int  // that are done, of joined updates
}

// inFlight is how many batches a restore puts at once, besides one that is waited for.
const inFlight = 4

// puts puts batches into the sinks, several at once. A record is in one of them at most.
type puts struct {
	ctx     context.Context
	restore *restore
	pending *put // that is being filled
	queue   chan *put
	ended   chan struct{}
	err     error // the first; valid once ended is closed
}

// put is a batch on its way.
type put struct {
	found
	mark    mark
	refused sink.Verdicts
	err     error
	ended   chan struct{} // closed when refused and err are set
}

// newPuts returns puts, which call fail with their first error.
func newPuts(ctx context.Context, r *restore, fail context.CancelCauseFunc) *puts {
	p := &puts{ctx: ctx, restore: r, pending: &put{}, queue: make(chan *put, inFlight), ended: make(chan struct{})}
	go p.finish(fail)
	return p
}

// finish finishes one batch after the other, in order.
func (p *puts) finish(fail context.CancelCauseFunc) {
	defer close(p.ended)
	for next := range p.queue {
		<-next.ended
		if p.err != nil {
			continue
		}
		if p.err = next.err; p.err == nil {
			p.err = p.restore.done(&next.found, next.mark, next.refused)
		}
		if p.err != nil {
			fail(p.err)
		}
	}
}

// add adds to the pending batch. The mark is behind what was added.
func (p *puts) add(f found, m mark) error {
	to := p.pending
	to.changes, to.places, to.mark = append(to.changes, f.changes...), append(to.places, f.places...), m
	to.sum = to.sum.plus(f.sum)
	if len(to.changes) < objects.ChunkChanges && to.sum.RecordBytes < objects.ChunkBytes {
		return nil
	}
	return p.flush()
}

// flush puts the pending batch. It waits while enough are in flight.
func (p *puts) flush() error {
	next := p.pending
	next.ended = make(chan struct{})
	select {
	case p.queue <- next:
	case <-p.ctx.Done():
		return context.Cause(p.ctx)
	}
	p.pending = &put{}
	go func() {
		defer close(next.ended)
		next.refused, next.err = p.restore.storer.store(p.ctx, sink.Batch{Changes: next.changes})
	}()
	return nil
}

// wait waits for all batches, and returns the first error. Nothing may be added after that.
func (p *puts) wait() error {
	close(p.queue)
	<-p.ended
	return p.err
}
