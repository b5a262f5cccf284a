package connector

import (
	"sync/atomic"
	"time"

	"github.com/aerosink/aerosink/connector/change"
)

// slot is the place of one frame in the order of its session. It is the
// recipient of the frame's verdicts.
type slot struct {
	session *session
	seq     uint64    // 1 for the session's first
	arrived time.Time // when the frame was read
	outcome outcome
	size    int // bytes in flight

	missing atomic.Int32          // verdicts that have not landed
	settled atomic.Bool           // all have
	failure atomic.Pointer[error] // the worst verdict so far
	holders atomic.Int32          // the destinations and the writer, until they let go
}

// outcome is what became of a change before any destination had a say.
type outcome uint8

const (
	sent      outcome = iota // to destinations, or nowhere because of an error
	skipped                  // by routing, or because it is the server's own affair
	malformed                // could not be decoded
)

// Settle takes one destination's verdict.
func (s *slot) Settle(verdict error) {
	if verdict != nil {
		s.worsen(verdict)
	}
	if s.missing.Add(-1) > 0 {
		return
	}
	s.settled.Store(true)
	s.session.landed(s.seq)
	s.release()
}

// worsen keeps the worst verdict: what is worth trying again hides what is not.
func (s *slot) worsen(verdict error) {
	for {
		before := s.failure.Load()
		if before != nil && (change.IsPermanent(verdict) || !change.IsPermanent(*before)) {
			return
		}
		if s.failure.CompareAndSwap(before, &verdict) {
			return
		}
	}
}

// verdict returns the worst verdict of a slot that is settled.
func (s *slot) verdict() error {
	if f := s.failure.Load(); f != nil {
		return *f
	}
	return nil
}

// release lets go of the slot's share of the bounds once both the destinations
// and the writer have.
func (s *slot) release() {
	if s.holders.Add(-1) == 0 {
		s.session.server.bounds.release(s.size)
	}
}

// line is a session's slots in the order of their frames. One goroutine joins
// slots at its end, another takes them from its front; pushed orders the two.
type line struct {
	pushed atomic.Uint64 // slots that joined so far

	last *segment // of the joining goroutine

	first *segment // of the taking goroutine
	taken uint64   // slots that left so far
	end   uint64   // slots up to the end of first
}

// segment is a part of a line. Slots are not used again, since a verdict may land
// long after the reply.
type segment struct {
	slots [segmentSize]slot
	next  *segment
}

const segmentSize = 64

func newLine() *line {
	s := new(segment)
	return &line{first: s, last: s, end: segmentSize}
}

// join returns the next slot, for the caller to fill and to push.
func (l *line) join() *slot {
	n := l.pushed.Load()
	if n > 0 && n%segmentSize == 0 {
		l.last.next = new(segment)
		l.last = l.last.next
	}
	s := &l.last.slots[n%segmentSize]
	s.seq = n + 1
	return s
}

func (l *line) push(s *slot) { l.pushed.Store(s.seq) }

// front returns the slot whose reply is due next, or nil when there is none.
func (l *line) front() *slot {
	if l.taken == l.pushed.Load() {
		return nil
	}
	if l.taken == l.end {
		l.first = l.first.next
		l.end += segmentSize
	}
	return &l.first.slots[l.taken%segmentSize]
}

func (l *line) pop() { l.taken++ }
