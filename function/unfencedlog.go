package function

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/aerosink/aerosink/function/store"
)

// unfencedInterval is the least time between two log lines about the fence.
const unfencedInterval = time.Minute

// unfencedLog logs at most once per interval that changes were stored without the fence. The
// zero value is ready to use.
type unfencedLog struct {
	mu      sync.Mutex
	next    time.Time
	changes int // since the last line
}

func (l *unfencedLog) log(ctx context.Context, to *slog.Logger, u store.Unfenced) {
	l.mu.Lock()
	l.changes += u.Changes
	now, changes := time.Now(), l.changes
	if now.Before(l.next) {
		l.mu.Unlock()
		return
	}
	l.next, l.changes = now.Add(unfencedInterval), 0
	l.mu.Unlock()
	to.LogAttrs(ctx, slog.LevelWarn, "changes stored without the fence", slog.Int("changes", changes), slog.Any("error", u.Err))
}
