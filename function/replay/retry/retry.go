// Package retry repeats what a temporary error has stopped.
package retry

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

// Do calls f until it returns nil or a permanent error, with growing pauses in between.
// It passes each temporary error to printf, with what was being done. When ctx is done, it
// returns the error of ctx.
func Do(ctx context.Context, printf func(line string, args ...any), what string, f func() error) error {
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		err := f()
		if err == nil || change.IsPermanent(err) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		wait := pause
		if asked := (*AfterError)(nil); errors.As(err, &asked) {
			wait = max(wait, asked.Wait)
		}
		printf("%s: retrying in %s: %v", what, wait, err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// AfterError is the error of a destination that says when to retry.
type AfterError struct {
	Err  error
	Wait time.Duration // at least
}

// Error implements error.
func (e *AfterError) Error() string { return e.Err.Error() }

// Unwrap returns the error without the time.
func (e *AfterError) Unwrap() error { return e.Err }
