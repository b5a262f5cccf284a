package connector

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// logLimiter logs each message at most once per interval, and counts the repeats that it
// suppressed.
type logLimiter struct {
	logger *slog.Logger

	mu       sync.Mutex
	messages map[string]*suppressed
}

// suppressed is the state of one message.
type suppressed struct {
	until time.Time
	count int
}

// logInterval is the least time between two log lines with the same message.
const logInterval = 10 * time.Second

func newLogLimiter(l *slog.Logger) *logLimiter {
	return &logLimiter{logger: l, messages: map[string]*suppressed{}}
}

func (l *logLimiter) warn(msg string, attributes ...any) { l.log(slog.LevelWarn, msg, attributes) }
func (l *logLimiter) info(msg string, attributes ...any) { l.log(slog.LevelInfo, msg, attributes) }

func (l *logLimiter) log(level slog.Level, msg string, attributes []any) {
	l.mu.Lock()
	s := l.messages[msg]
	if s == nil {
		s = &suppressed{}
		l.messages[msg] = s
	}
	now := time.Now()
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
