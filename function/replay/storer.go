package replay

import (
	"context"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/replay/objects"
	"github.com/aerosink/aerosink/function/replay/retry"
	"github.com/aerosink/aerosink/function/sink"
)

// storer stores chunks.
type storer struct {
	sinks    []sink.Sink
	limit    *rate.Limiter // of changes; its burst is objects.ChunkChanges
	progress *progress
}

// store puts a batch into every sink, at the rate of the limit, and returns the permanent
// verdicts.
func (s *storer) store(ctx context.Context, b sink.Batch) (sink.Verdicts, error) {
	if len(s.sinks) == 0 || len(b.Changes) == 0 {
		return nil, nil
	}
	for left := len(b.Changes); left > 0; left -= objects.ChunkChanges { // a dead letter may hold more than a chunk
		if err := s.limit.WaitN(ctx, min(left, objects.ChunkChanges)); err != nil {
			return nil, err
		}
	}
	each := make([]sink.Verdicts, len(s.sinks))
	var puts errgroup.Group
	for i, to := range s.sinks {
		puts.Go(func() (err error) {
			each[i], err = s.put(ctx, to, b)
			return err
		})
	}
	if err := puts.Wait(); err != nil {
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

// put puts a batch into a sink until every change is stored or refused, and returns the
// permanent verdicts. It does not interrupt a Put that has begun.
func (s *storer) put(ctx context.Context, to sink.Sink, b sink.Batch) (refused sink.Verdicts, err error) {
	n := len(b.Changes)
	left := make([]int, n) // indexes of the changes that are not stored
	for i := range left {
		left[i] = i
	}
	err = retry.Do(ctx, s.progress.Printf, "store changes", func() error {
		part := b
		part.Changes = make([]format.Parsed, len(left))
		for i, at := range left {
			part.Changes[i] = b.Changes[at]
		}
		verdicts := to.Put(context.WithoutCancel(ctx), part)
		var failed []int
		var failure error
		for i, verdict := range verdicts {
			switch {
			case verdict == nil:
			case change.IsPermanent(verdict):
				refused.Set(n, left[i], verdict)
			default:
				failed, failure = append(failed, left[i]), verdict
			}
		}
		left = failed
		return failure
	})
	return refused, err
}
