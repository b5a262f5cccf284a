package connector

import "sync/atomic"

// line is a session's slots in the order of their frames. One goroutine joins
// slots at its end, another takes them from its front; pushed orders the two.
type line struct {
	pushed atomic.Uint64 // slots that joined so far

	last *segment // of the joining goroutine

	taken atomic.Uint64 // slots that left so far
	first *segment      // of the taking goroutine
	end   uint64        // slots up to the end of first
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
	taken := l.taken.Load()
	if taken == l.pushed.Load() {
		return nil
	}
	if taken == l.end {
		// Who still holds a slot of the segment does not hold those after it.
		l.first, l.first.next = l.first.next, nil
		l.end += segmentSize
	}
	return &l.first.slots[taken%segmentSize]
}

func (l *line) pop() { l.taken.Add(1) }

// room reports whether fewer than most slots are in the line.
func (l *line) room(most uint64) bool { return l.pushed.Load()-l.taken.Load() < most }
