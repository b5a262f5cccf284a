package audit

import (
	"context"
	"iter"
	"time"

	"github.com/aerosink/aerosink/function/replay/newest"
)

// source is where the states of records are read from: an archive, or a fence.
type source interface {
	// states yields the newest state of each record, sorted by [order], from what was stored
	// since a time; zero is all of it. It ends with an error if one occurs.
	states(ctx context.Context, since time.Time) (iter.Seq2[State, error], error)

	// counts returns what states has read, and what of it was damaged.
	counts() newest.Counts

	close() error
}

// openSource opens the archive or the fence that the options name. The caller closes it.
func openSource(ctx context.Context, o *Options, p *progress) (source, error) {
	if o.Fence != nil {
		return openFence(ctx, o, p)
	}
	return openArchive(ctx, o, p)
}
