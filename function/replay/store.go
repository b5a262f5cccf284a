package replay

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
)

// store puts the batch into every sink, and returns the permanent verdicts.
func (r *run) store(ctx context.Context, b sink.Batch) (sink.Verdicts, error) {
	for left := len(b.Changes); left > 0; left -= chunkChanges { // letters may hold many
		if err := r.limit.WaitN(ctx, min(left, chunkChanges)); err != nil {
			return nil, err
		}
	}
	each := make([]sink.Verdicts, len(r.sinks))
	var storing errgroup.Group
	for i, s := range r.sinks {
		storing.Go(func() (err error) {
			each[i], err = r.put(ctx, s, b)
			return err
		})
	}
	if err := storing.Wait(); err != nil {
		return nil, err
	}
	var all sink.Verdicts
	for _, verdicts := range each {
		for i, verdict := range verdicts {
			all.Set(len(b.Changes), i, verdict)
		}
	}
	return all, nil
}

// put puts the batch into a sink, what failed again and again, and returns the permanent
// verdicts. A Put that has begun is not interrupted.
func (r *run) put(ctx context.Context, s sink.Sink, b sink.Batch) (refused sink.Verdicts, err error) {
	n := len(b.Changes)
	left := make([]int, n) // the places of what is not stored
	for i := range left {
		left[i] = i
	}
	err = r.persist(ctx, "store changes", func() error {
		part := b
		part.Changes = make([]format.Parsed, len(left))
		for i, at := range left {
			part.Changes[i] = b.Changes[at]
		}
		verdicts := s.Put(context.WithoutCancel(ctx), part)
		var again []int
		var why error
		for i, verdict := range verdicts {
			switch {
			case verdict == nil:
			case change.IsPermanent(verdict):
				refused.Set(n, left[i], verdict)
			default:
				again, why = append(again, left[i]), verdict
			}
		}
		left = again
		return why
	})
	return refused, err
}

// Pauses between trials.
const (
	firstPause = 500 * time.Millisecond
	mostPause  = 30 * time.Second
)

// persist calls try until it returns nil or a permanent error, with pauses between that
// grow. It returns the context's error when it is done.
func (r *run) persist(ctx context.Context, what string, try func() error) error {
	for pause := firstPause; ; pause = min(2*pause, mostPause) {
		err := try()
		if err == nil || change.IsPermanent(err) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		wait := pause
		if later := (*laterError)(nil); errors.As(err, &later) {
			wait = max(wait, later.wait)
		}
		r.meter.tell("%s: retrying in %s: %v", what, wait, err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// laterError is the error of a destination that has said when to try again.
type laterError struct {
	error
	wait time.Duration
}

// Unwrap returns the error alone.
func (e *laterError) Unwrap() error { return e.error }
