package replay

import (
	"context"
	"errors"
	"time"

	"github.com/aerosink/aerosink/connector/change"
)

// Pauses between attempts.
const (
	minPause = 500 * time.Millisecond
	maxPause = 30 * time.Second
)

// retry calls f until it returns nil or a permanent error, with growing pauses in between.
// It prints each temporary error, with what was being done. When ctx is done, it returns
// the error of ctx.
func retry(ctx context.Context, p *progress, what string, f func() error) error {
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		err := f()
		if err == nil || change.IsPermanent(err) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		wait := pause
		if asked := (*retryAfterError)(nil); errors.As(err, &asked) {
			wait = max(wait, asked.wait)
		}
		p.printf("%s: retrying in %s: %v", what, wait, err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// retryAfterError is the error of a destination that says when to retry.
type retryAfterError struct {
	error
	wait time.Duration
}

// Unwrap returns the error without the time.
func (e *retryAfterError) Unwrap() error { return e.error }
