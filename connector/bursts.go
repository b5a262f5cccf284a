package connector

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// bursts is a logger that says the same thing at most once in a while, and then
// how often it was left unsaid.
type bursts struct {
	logger *slog.Logger

	mu     sync.Mutex
	unsaid map[string]*unsaid // by message
}

type unsaid struct {
	until time.Time
	times int
}

// oncePer is how often the same message is logged at most.
const oncePer = 10 * time.Second

func newBursts(l *slog.Logger) *bursts {
	return &bursts{logger: l, unsaid: map[string]*unsaid{}}
}

func (b *bursts) warn(msg string, facts ...any) { b.log(slog.LevelWarn, msg, facts) }
func (b *bursts) info(msg string, facts ...any) { b.log(slog.LevelInfo, msg, facts) }

func (b *bursts) log(level slog.Level, msg string, facts []any) {
	b.mu.Lock()
	u := b.unsaid[msg]
	if u == nil {
		u = &unsaid{}
		b.unsaid[msg] = u
	}
	now := time.Now()
	if now.Before(u.until) {
		u.times++
		b.mu.Unlock()
		return
	}
	times := u.times
	*u = unsaid{until: now.Add(oncePer)}
	b.mu.Unlock()
	if times > 0 {
		facts = append(facts, "times_unsaid_before", times)
	}
	b.logger.Log(context.Background(), level, msg, facts...) //nolint:sloglint // callers pass constants
}
