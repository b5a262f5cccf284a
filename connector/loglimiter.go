package connector

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/aerosink/aerosink/connector/xdr"
)

// logLimiter logs each message at most once per interval for each cause, and counts the
// repeats that it suppressed.
type logLimiter struct {
	logger *slog.Logger

	mu       sync.Mutex
	messages map[string]causes
}

// causes are the causes of one message.
type causes map[string]*suppressed

// suppressed is the state of one cause.
type suppressed struct {
	until time.Time
	count int
}

const (
	// logInterval is the least time between two log lines with the same message and cause.
	logInterval = 10 * time.Second

	// maxCauses is how many causes of a message are told apart, so that errors that differ
	// each time cannot fill the log or the memory. The others share the cause "".
	maxCauses = 16
)

func newLogLimiter(l *slog.Logger) *logLimiter {
	return &logLimiter{logger: l, messages: map[string]causes{}}
}

// warn logs a warning. The cause only decides what is a repeat; it may be nil.
func (l *logLimiter) warn(msg string, cause error, attributes ...any) {
	l.log(slog.LevelWarn, msg, cause, attributes)
}

// info is like warn, for information.
func (l *logLimiter) info(msg string, cause error, attributes ...any) {
	l.log(slog.LevelInfo, msg, cause, attributes)
}

func (l *logLimiter) log(level slog.Level, msg string, cause error, attributes []any) {
	now := time.Now()
	l.mu.Lock()
	s := l.of(msg, causeOf(cause), now)
	if now.Before(s.until) {
		s.count++
		l.mu.Unlock()
		return
	}
	count := s.count
	*s = suppressed{until: now.Add(logInterval)}
	l.mu.Unlock()
	if count > 0 {
		attributes = append(attributes, "suppressed", count)
	}
	l.logger.Log(context.Background(), level, msg, attributes...) //nolint:sloglint // callers pass constants
}

// of returns the state of a message and cause. The caller holds l.mu.
func (l *logLimiter) of(msg, cause string, now time.Time) *suppressed {
	known := l.messages[msg]
	if known == nil {
		known = causes{}
		l.messages[msg] = known
	}
	if known[cause] == nil && len(known) >= maxCauses {
		known.forget(now)
		if len(known) >= maxCauses {
			cause = ""
		}
	}
	if known[cause] == nil {
		known[cause] = new(suppressed)
	}
	return known[cause]
}

// forget removes the causes that did not occur in the last interval. Repeats of theirs that
// were not logged yet count as repeats of the cause "".
func (c causes) forget(now time.Time) {
	unlogged := 0
	for cause, s := range c {
		if !now.Before(s.until) {
			unlogged += s.count
			delete(c, cause)
		}
	}
	if unlogged > 0 {
		c[""] = &suppressed{count: unlogged}
	}
}

// causeOf returns what makes errors the same for the log: the kind of a malformed message,
// wherever in it the error is, or the innermost error.
func causeOf(err error) string {
	var malformed *xdr.Error
	if errors.As(err, &malformed) {
		return string(malformed.Kind)
	}
	if err == nil {
		return ""
	}
	for inner := err; inner != nil; {
		err = inner
		if joined, ok := err.(interface{ Unwrap() []error }); ok && len(joined.Unwrap()) > 0 {
			inner = joined.Unwrap()[0]
			continue
		}
		inner = errors.Unwrap(err)
	}
	return err.Error()
}
