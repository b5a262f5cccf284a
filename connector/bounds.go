package connector

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// bounds limits what is in flight in all sessions together. A session that finds
// them reached stops reading, and TCP carries that to the database.
type bounds struct {
	maxRecords, maxBytes int64

	records, bytes atomic.Int64
	waiting        atomic.Int64
	closed         atomic.Bool

	mu      sync.Mutex // of those that wait
	changed *sync.Cond
}

func newBounds(records, bytes int) *bounds {
	b := &bounds{maxRecords: int64(records), maxBytes: int64(bytes)}
	b.changed = sync.NewCond(&b.mu)
	return b
}

// admit waits until a change of size bytes may be in flight, no longer than until.
// One that is larger than the bound itself gets in alone. An error says why the
// change has to do without a destination; it is in flight even so.
func (b *bounds) admit(size int, until time.Time) error {
	if !b.enter(size) && !b.wait(size, until) {
		return errNoRoom
	}
	if b.closed.Load() {
		return errStopping
	}
	return nil
}

var (
	errNoRoom   = errors.New("no room among the changes in flight")
	errStopping = errors.New("the connector is stopping")
)

// enter lets the change in, unless the bounds are reached.
func (b *bounds) enter(size int) bool {
	records, bytes := b.records.Add(1), b.bytes.Add(int64(size))
	if records == 1 || records <= b.maxRecords && bytes <= b.maxBytes || b.closed.Load() {
		return true
	}
	b.take(size)
	return false
}

func (b *bounds) take(size int) {
	b.records.Add(-1)
	b.bytes.Add(-int64(size))
}

// wait is admit for those that did not get in at once. It counts itself as waiting
// before it tries again, and release looks for the waiting after it has made room:
// so no room goes unnoticed.
func (b *bounds) wait(size int, until time.Time) bool {
	defer time.AfterFunc(time.Until(until), b.wake).Stop()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting.Add(1)
	defer b.waiting.Add(-1)
	for !b.enter(size) {
		if !time.Now().Before(until) {
			b.records.Add(1)
			b.bytes.Add(int64(size))
			return false
		}
		b.changed.Wait()
	}
	return true
}

// grow adds to a change in flight what it takes up besides its frame.
func (b *bounds) grow(size int) { b.bytes.Add(int64(size)) }

// release takes a change out again, with all it took up.
func (b *bounds) release(size int) {
	b.take(size)
	if b.waiting.Load() > 0 {
		b.wake()
	}
}

func (b *bounds) wake() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.changed.Broadcast()
}

// inFlight returns what is in flight now.
func (b *bounds) inFlight() (records, bytes int64) { return b.records.Load(), b.bytes.Load() }

// close lets everyone in: the sessions are ending.
func (b *bounds) close() {
	b.closed.Store(true)
	b.wake()
}
