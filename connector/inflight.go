package connector

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// inFlight limits the changes in flight in all sessions together. A session waits at the
// limit and reads no more, so that TCP slows down the database.
type inFlight struct {
	maxRecords, maxBytes int64

	records, bytes atomic.Int64
	waiting        atomic.Int64 // sessions in wait
	closed         atomic.Bool

	mu      sync.Mutex // of changed
	changed *sync.Cond
}

func newInFlight(maxRecords, maxBytes int) *inFlight {
	f := &inFlight{maxRecords: int64(maxRecords), maxBytes: int64(maxBytes)}
	f.changed = sync.NewCond(&f.mu)
	return f
}

var (
	errNoRoom   = errors.New("too many changes in flight")
	errStopping = errors.New("the connector is stopping")
)

// admit waits until a change of size bytes may be in flight, but not beyond until. A change
// that is larger than the limit is admitted alone. An error says why the change cannot be
// sent; the change counts as in flight even then.
func (f *inFlight) admit(size int, until time.Time) error {
	if !f.tryAdmit(size) && !f.wait(size, until) {
		return errNoRoom
	}
	if f.closed.Load() {
		return errStopping
	}
	return nil
}

// tryAdmit admits the change and returns true, unless the limit is reached.
func (f *inFlight) tryAdmit(size int) bool {
	records, bytes := f.records.Add(1), f.bytes.Add(int64(size))
	if records == 1 || records <= f.maxRecords && bytes <= f.maxBytes || f.closed.Load() {
		return true
	}
	f.subtract(size)
	return false
}

func (f *inFlight) subtract(size int) {
	f.records.Add(-1)
	f.bytes.Add(-int64(size))
}

// wait is the slow path of admit; it returns false at the time until. It increments waiting
// before it tries again, and release reads waiting after it has subtracted its change, so
// that no wake-up is missed.
func (f *inFlight) wait(size int, until time.Time) bool {
	defer time.AfterFunc(time.Until(until), f.wake).Stop()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiting.Add(1)
	defer f.waiting.Add(-1)
	for !f.tryAdmit(size) {
		if !time.Now().Before(until) {
			f.records.Add(1)
			f.bytes.Add(int64(size))
			return false
		}
		f.changed.Wait()
	}
	return true
}

// grow adds size bytes, which a change in flight takes up besides its frame.
func (f *inFlight) grow(size int) { f.bytes.Add(int64(size)) }

// release removes a change with all its size bytes.
func (f *inFlight) release(size int) {
	f.subtract(size)
	if f.waiting.Load() > 0 {
		f.wake()
	}
}

func (f *inFlight) wake() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.changed.Broadcast()
}

// now returns how many changes and bytes are in flight.
func (f *inFlight) now() (records, bytes int64) { return f.records.Load(), f.bytes.Load() }

// close makes admit return errStopping at once, because the sessions are ending.
func (f *inFlight) close() {
	f.closed.Store(true)
	f.wake()
}
