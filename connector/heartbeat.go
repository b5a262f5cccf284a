package connector

import (
	"context"
	"sync"
	"time"
)

// heartbeat notices pauses of the whole process, for example by SIGSTOP or because its
// container was frozen. The database goes on meanwhile.
type heartbeat struct {
	mu          sync.Mutex
	last        time.Time // the last beat
	began, over time.Time // the last pause
}

const (
	beatInterval = 250 * time.Millisecond

	// minPause is the longest time without a beat that is not a pause. A change has no less
	// time than that between its deadline and the end of the database's patience.
	minPause = time.Second

	// maxDelay is how long after a pause a goroutine that has something to read may have to
	// wait for its turn.
	maxDelay = 10 * time.Second
)

func newHeartbeat() *heartbeat { return &heartbeat{last: time.Now()} }

// run beats until ctx ends.
func (h *heartbeat) run(ctx context.Context) {
	ticker := time.NewTicker(beatInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			h.beat(time.Now())
		case <-ctx.Done():
			return
		}
	}
}

// beat records that the process runs now.
func (h *heartbeat) beat(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.beatLocked(now)
}

func (h *heartbeat) beatLocked(now time.Time) {
	if now.Sub(h.last) >= minPause {
		h.began, h.over = h.last, now
	}
	if now.After(h.last) {
		h.last = now
	}
}

// pausedIn returns when a pause began that was over after from and shortly before to.
func (h *heartbeat) pausedIn(from, to time.Time) (began time.Time, ok bool) {
	if to.Sub(from) < minPause {
		return time.Time{}, false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.beatLocked(to) // the pause may be over since a moment ago
	return h.began, h.over.After(from) && to.Sub(h.over) < maxDelay
}
