package function

import (
	"context"
	"errors"
	"runtime/debug"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/function/sink"
)

// fall is the panic of a sink, which is to go on where the request can be answered,
// and no sooner than when no other sink reads the request any more.
type fall struct {
	value any
	stack []byte
}

var errFell = errors.New("the sink has a fault")

// place is a sink that is open, and what it has of requests that will come again.
type place struct {
	sink    sink.Sink
	spec    sink.Spec
	settled settled
}

func open(ctx context.Context, spec sink.Spec) (*place, error) {
	s, err := spec.Open(ctx)
	if err != nil {
		return nil, err
	}
	return &place{sink: s, spec: spec}, nil
}

// put stores the changes of b that could be read and that the place does not have
// yet, and returns the verdicts on all of b: on one that could not be read, why.
// Prints are the fingerprints of all; nil where no place remembers anything. What
// the sink panics with is returned too; then nothing is known to be stored.
func (p *place) put(ctx context.Context, b sink.Batch, prints []fingerprint) (verdicts sink.Verdicts, fell *fall) {
	defer func() {
		if value := recover(); value != nil {
			verdicts, fell = sink.All(len(b.Changes), errFell), &fall{value, debug.Stack()}
			if elsewhere, ok := value.(*sink.Panic); ok {
				fell = &fall{elsewhere.Value, elsewhere.Stack}
			}
		}
	}()
	var has []bool
	if prints != nil {
		has = p.settled.among(prints)
	}
	verdicts = unreadable(b)
	if verdicts == nil && has == nil {
		return p.sink.Put(ctx, b), nil
	}
	var part sink.Batch
	var at []int // of part's changes in b
	part.TraceParent = b.TraceParent
	for i := range b.Changes {
		if has != nil && has[i] || verdicts != nil && verdicts[i] != nil {
			continue
		}
		at = append(at, i)
		part.Changes = append(part.Changes, b.Changes[i])
		if b.DeadLetters != nil {
			part.DeadLetters = append(part.DeadLetters, b.DeadLetters[i])
		}
	}
	if len(at) > 0 {
		for i, err := range p.sink.Put(ctx, part) {
			verdicts.Set(len(b.Changes), at[i], err)
		}
	}
	return verdicts, nil
}

// unreadable returns a verdict on each change that could not be read, unless b is of
// dead letters, which may be anything.
func unreadable(b sink.Batch) (verdicts sink.Verdicts) {
	if b.DeadLetters != nil {
		return nil
	}
	for i := range b.Changes {
		verdicts.Set(len(b.Changes), i, b.Changes[i].Err)
	}
	return verdicts
}

// remember notes what the place has of b, whose request will come again.
func (p *place) remember(b sink.Batch, prints []fingerprint, verdicts sink.Verdicts) {
	p.settled.remember(prints, verdicts, func(i int) bool {
		return b.DeadLetters != nil || isUnique(&b.Changes[i].Change)
	})
}

// isUnique reports whether no other change of the record can have the same bytes.
// Two deletes of a record that was written in between may, where they say neither
// time nor generation: the second must not be taken for the first.
func isUnique(c *change.Change) bool { return c.LUT > 0 && c.Generation > 0 }
