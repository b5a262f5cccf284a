package store

import (
	"context"
	"sync"
)

// recordLocks serialises the requests that have changes of the same record. A request holds
// all its records at once, and waits for the requests that asked for one of them before. Since
// each asks for all its records in one step, no two can wait for each other. The zero value is
// ready to use.
//
// Records are known by 64-bit hashes. Two records with the same hash only wait for each other.
type recordLocks struct {
	mu   sync.Mutex
	last map[uint64]*hold // the last request that asked for each record
}

// hold is the records that one request holds or waits for. It may be used again after release.
type hold struct {
	records []uint64      // may have the same hash several times
	done    chan struct{} // closed by release; nil if nobody waits
	before  []chan struct{}
}

// acquire waits until all requests that asked for one of h.records before have released them.
// It reports whether a hash is there twice. If the context ends first, acquire returns its
// error and h is released in due course; it must not be used again.
func (l *recordLocks) acquire(ctx context.Context, h *hold) (repeated bool, err error) {
	l.mu.Lock()
	if l.last == nil {
		l.last = map[uint64]*hold{}
	}
	for _, r := range h.records {
		switch before := l.last[r]; before {
		case nil:
		case h:
			repeated = true
		default:
			h.waitFor(before)
		}
		l.last[r] = h
	}
	l.mu.Unlock()
	for i, done := range h.before {
		select {
		case <-done:
		case <-ctx.Done():
			go l.abandon(h, h.before[i:])
			return false, ctx.Err()
		}
	}
	return repeated, nil
}

// waitFor makes h wait until other is released. It must be called with the lock.
func (h *hold) waitFor(other *hold) {
	if other.done == nil {
		other.done = make(chan struct{})
	}
	if n := len(h.before); n == 0 || h.before[n-1] != other.done {
		h.before = append(h.before, other.done)
	}
}

// abandon releases h once the requests before it are done, which those after it rely on.
func (l *recordLocks) abandon(h *hold, before []chan struct{}) {
	for _, done := range before {
		<-done
	}
	l.release(h)
}

// release lets the requests that wait for h go on.
func (l *recordLocks) release(h *hold) {
	l.mu.Lock()
	for _, r := range h.records {
		if l.last[r] == h {
			delete(l.last, r)
		}
	}
	done := h.done
	h.done = nil
	l.mu.Unlock()
	if done != nil {
		close(done)
	}
	clear(h.before)
	h.records, h.before = h.records[:0], h.before[:0]
}
