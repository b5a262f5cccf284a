package store

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
)

// fenced publishes changes unless they, or newer versions of their records, were published
// before.
//
//  1. It waits for other requests of this process that have changes of the same records
//     (recordlocks.go).
//  2. It reads the states of the records from the fence, and drops what they supersede.
//  3. It publishes the rest, the versions of a record in order (passage.go).
//  4. It records the newest version of each record that every sink has stored.
//
// A change that fails or becomes a dead letter leaves no state, so that neither its repeat nor
// a replay of the dead letter is dropped.
type fenced struct {
	fence sink.Fence
	pass  bool // while the fence fails, publish as if there were none
	seed  maphash.Seed
	locks recordLocks
}

func openFence(ctx context.Context, spec *sink.FenceSpec) (*fenced, error) {
	f, err := spec.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("open fence %s: %w", spec.URL, err)
	}
	return &fenced{fence: f, pass: spec.Pass, seed: maphash.MakeSeed()}, nil
}

// publisher publishes a batch. Before it decides whether the request will be repeated, record
// may add verdicts to the outcome.
type publisher func(b sink.Batch, record func(Outcome) Outcome) Outcome

// put publishes what is new among the changes of b.
func (f *fenced) put(ctx context.Context, b sink.Batch, publish publisher) Outcome {
	p := newPassage(b, f.seed)
	repeated, err := f.locks.acquire(ctx, &p.hold)
	if err != nil {
		return Outcome{changes: len(b.Changes), verdicts: sink.All(len(b.Changes), fmt.Errorf("fence: wait for another change of the record: %w", err))}
	}
	defer func() {
		f.locks.release(&p.hold)
		p.free()
	}()
	if repeated {
		p.group()
	}
	f.read(ctx, p)
	record := func(o Outcome) Outcome {
		f.write(ctx, p, &o)
		return o
	}
	if p.order == nil {
		return publish(b, record)
	}
	part := b
	part.Changes = make([]format.Parsed, len(p.order))
	for n, i := range p.order {
		part.Changes[n] = b.Changes[i]
	}
	var o Outcome
	if len(part.Changes) > 0 {
		o = publish(part, record)
	}
	return p.outcome(&o)
}

// read reads the states of the records, and chooses the changes to publish.
func (f *fenced) read(ctx context.Context, p *passage) {
	if len(p.states) > 0 {
		for s, err := range f.fence.Read(ctx, p.states) {
			p.failed.Set(len(p.states), s, fenceError("read", err))
		}
	}
	for i := range p.batch.Changes {
		s := p.state[i]
		switch {
		case s == unfenced:
		case p.failed != nil && p.failed[s] != nil:
			if !f.pass {
				p.refuse(i, p.failed[s])
			}
		case p.states[s].Supersedes(&p.batch.Changes[i].Change):
			p.drop(i)
		}
	}
	p.choose()
}

// write records the newest version of each record among the changes that o, the outcome of
// those that were published, says are stored. If the sender has gone meanwhile, its deadline
// still holds. The states of records that could not be read are not written either.
func (f *fenced) write(ctx context.Context, p *passage, o *Outcome) {
	p.advance(o)
	if len(p.advanced) > 0 {
		detached := context.WithoutCancel(ctx)
		if deadline, ok := ctx.Deadline(); ok {
			var cancel context.CancelFunc
			detached, cancel = context.WithDeadline(detached, deadline)
			defer cancel()
		}
		for n, err := range f.fence.Write(detached, p.advanced) {
			p.failed.Set(len(p.states), p.advancedState[n], fenceError("write", err))
		}
	}
	if p.failed == nil {
		return
	}
	for n := range o.changes {
		s := p.state[p.published(n)]
		if s == unfenced || p.failed[s] == nil || o.Of(n) != Stored {
			continue
		}
		if f.pass {
			o.unfenced.count(p.failed[s])
		} else {
			o.verdicts.Set(o.changes, n, p.failed[s])
		}
	}
}

// fenceError returns the verdict on a change whose state could not be read or written, nil if
// err is nil. It can always be retried.
func fenceError(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case change.IsPermanent(err):
		return errors.New("fence: " + what + " the state: " + err.Error())
	}
	return fmt.Errorf("fence: %s the state: %w", what, err)
}
