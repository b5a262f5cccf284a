package store

import (
	"context"
	"errors"
	"runtime/debug"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/function/sink"
)

// SinkPanic carries a sink's panic to the goroutine that answers the request.
type SinkPanic struct {
	Value any
	Stack []byte
}

var errSinkPanicked = errors.New("the sink panicked")

// target is an open sink, with the changes that it has stored of requests that will be
// repeated.
type target struct {
	sink       sink.Sink
	spec       sink.Spec
	remembered remembered
	newest     newest // only with a fence
}

func openTarget(ctx context.Context, spec sink.Spec) (*target, error) {
	s, err := spec.Open(ctx)
	if err != nil {
		return nil, err
	}
	return &target{sink: s, spec: spec}, nil
}

// put stores the changes of b that could be read and that the target does not have yet. It
// returns the verdicts on all changes of b; the verdict on an unreadable change is its error.
// The fingerprints of all changes are in prints, which is nil if no target remembers any. put
// also returns the sink's panic; then all verdicts are errors.
func (t *target) put(ctx context.Context, b sink.Batch, prints []fingerprint) (verdicts sink.Verdicts, panicked *SinkPanic) {
	defer func() {
		if value := recover(); value != nil {
			verdicts, panicked = sink.All(len(b.Changes), errSinkPanicked), &SinkPanic{value, debug.Stack()}
			if carried, ok := value.(*sink.Panic); ok {
				panicked = &SinkPanic{carried.Value, carried.Stack}
			}
		}
	}()
	var has []bool
	if prints != nil {
		has = t.remembered.among(prints)
	}
	for i, newer := range t.newest.among(ctx, b) {
		if has == nil {
			has = make([]bool, len(b.Changes))
		}
		has[i] = has[i] || newer
	}
	verdicts = unreadable(b)
	if verdicts == nil && has == nil {
		return t.sink.Put(ctx, b), nil
	}
	var part sink.Batch
	var indexes []int // of part's changes in b
	part.TraceParent = b.TraceParent
	for i := range b.Changes {
		if has != nil && has[i] || verdicts != nil && verdicts[i] != nil {
			continue
		}
		indexes = append(indexes, i)
		part.Changes = append(part.Changes, b.Changes[i])
		if b.DeadLetters != nil {
			part.DeadLetters = append(part.DeadLetters, b.DeadLetters[i])
		}
	}
	if len(indexes) > 0 {
		for i, err := range t.sink.Put(ctx, part) {
			verdicts.Set(len(b.Changes), indexes[i], err)
		}
	}
	return verdicts, nil
}

// unreadable returns a verdict on each change that could not be read. Dead letters need not
// be readable, so it returns nil for them.
func unreadable(b sink.Batch) (verdicts sink.Verdicts) {
	if b.DeadLetters != nil {
		return nil
	}
	for i := range b.Changes {
		verdicts.Set(len(b.Changes), i, b.Changes[i].Err)
	}
	return verdicts
}

// remember records which changes of b, whose request will be repeated, are stored.
func (t *target) remember(b sink.Batch, prints []fingerprint, verdicts sink.Verdicts) {
	t.remembered.add(prints, verdicts, func(i int) bool {
		return b.DeadLetters != nil || isUnique(&b.Changes[i].Change)
	})
}

// isUnique reports whether no other change of the record can have the same bytes. Without
// last update time and generation, two deletes of a record have the same bytes even if it was
// written in between, and the second must not be taken for a repeat of the first.
func isUnique(c *change.Change) bool { return c.LUT > 0 && c.Generation > 0 }
