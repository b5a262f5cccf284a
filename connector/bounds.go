package connector

import "sync"

// bounds limits what is in flight in all sessions together. A session that finds
// them reached stops reading, and TCP carries that to the database.
type bounds struct {
	maxRecords, maxBytes int

	mu      sync.Mutex
	changed *sync.Cond
	records int
	bytes   int
	waiting int
	closed  bool
}

func newBounds(records, bytes int) *bounds {
	b := &bounds{maxRecords: records, maxBytes: bytes}
	b.changed = sync.NewCond(&b.mu)
	return b
}

// admit waits until a change of size bytes may be in flight. One that is larger
// than the bound itself gets in alone. It returns false when the bounds were
// closed while it waited; the change is in flight even so.
func (b *bounds) admit(size int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting++
	for !b.closed && b.records > 0 && (b.records >= b.maxRecords || b.bytes+size > b.maxBytes) {
		b.changed.Wait()
	}
	b.waiting--
	b.records++
	b.bytes += size
	return !b.closed
}

// grow adds to a change in flight what it takes up besides its frame.
func (b *bounds) grow(size int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bytes += size
}

// release takes a change out again, with all it took up.
func (b *bounds) release(size int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.records--
	b.bytes -= size
	if b.waiting > 0 {
		b.changed.Broadcast()
	}
}

// inFlight returns what is in flight now.
func (b *bounds) inFlight() (records, bytes int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.records, b.bytes
}

// close lets everyone in: the sessions are ending.
func (b *bounds) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.changed.Broadcast()
}
