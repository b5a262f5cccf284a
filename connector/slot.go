package connector

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/deadletter"
	"github.com/aerosink/aerosink/connector/xdr"
)

// slot is one frame in the order of its session, and the recipient of the verdicts on its
// change.
type slot struct {
	session  *session
	seq      uint64         // 1 for the session's first
	arrived  time.Time      // when the frame was read
	lut      int64          // of the change, in Unix milliseconds; 0 if unknown
	counters *setCounters   // of the change's namespace and set
	digest   *change.Digest // of a change that cannot be delivered; read it when done
	message  xdr.Frame      // nil without dead letters; of a message that was too large, the beginning
	copies   *pendingCopies // nil with one destination
	size     int            // bytes in flight
	outcome  outcome

	missing    atomic.Int32          // verdicts that have not arrived
	done       atomic.Bool           // all verdicts have arrived; the change is not in flight
	failure    atomic.Pointer[error] // the worst verdict so far
	deadLetter *deadLetter           // nil unless the change has become one; read it when done
}

// outcome is what happened to a change before it went to a destination.
type outcome uint8

const (
	sent      outcome = iota // to destinations, or refused with an error
	skipped                  // by routing, or because it is the server's own record
	stale                    // a newer version of the record was sent before
	malformed                // could not be decoded
)

// Done implements [change.Recipient]: it takes one destination's verdict.
func (s *slot) Done(verdict error) {
	if verdict != nil {
		s.keepWorst(verdict)
	}
	if s.missing.Add(-1) > 0 {
		return
	}
	if err := s.verdict(); err != nil && s.message != nil && change.IsPermanent(err) {
		l, deadline := s.letter(err), s.arrived.Add(s.session.server.config.Budget)
		if l.Digest != nil {
			s.digest = (*change.Digest)(l.Digest)
		}
		s.deadLetter = &deadLetter{slot: s, reason: err, letter: l}
		s.deadLetter.letter.Message = nil
		s.session.server.config.DeadLetters.Store(l, deadline, s.deadLetter)
		return
	}
	s.finish()
}

// keepWorst keeps the worst verdict. A temporary error replaces a permanent one, since the
// change must be shipped again.
func (s *slot) keepWorst(verdict error) {
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

// verdict returns the worst verdict so far.
func (s *slot) verdict() error {
	if f := s.failure.Load(); f != nil {
		return *f
	}
	return nil
}

// letter returns the slot's message as a dead letter. It decodes the metadata again, so that
// slots need not hold it; dead letters are rare.
func (s *slot) letter(reason error) deadletter.Letter {
	l := deadletter.Letter{Message: s.message, Reason: reason.Error()}
	if malformed := (*xdr.Error)(nil); errors.As(reason, &malformed) {
		l.Offset = &malformed.Offset
		if malformed.Kind == xdr.OverLimit {
			l.Message, l.Size = nil, s.message.Size()
		}
	}
	var c change.Change
	if xdr.NewDecoder(s.session.server.config.MaxMessageBytes, time.Now).Identify(s.message, &c) == nil {
		l.Namespace, l.Set, l.Digest, l.LUT = c.Namespace, c.Set, c.Digest[:], c.LUT
	}
	return l
}

// finish takes the change out of flight and tells the writer that the slot is done.
func (s *slot) finish() {
	if s.copies != nil {
		s.session.port.delivered.update(s.copies, s.verdict() == nil)
	}
	s.session.server.inFlight.release(s.size)
	s.message = nil
	s.done.Store(true)
	s.session.slotDone(s.seq)
}

// deadLetter is a slot's change that is being stored as a dead letter, or is stored.
type deadLetter struct {
	slot   *slot
	reason error
	letter deadletter.Letter // without the message
}

// Done implements [change.Recipient]: it takes the verdict on the dead letter. If the dead
// letter is stored, the change counts as delivered.
func (d *deadLetter) Done(verdict error) {
	s := d.slot
	if verdict == nil {
		s.failure.Store(nil)
	} else {
		verdict = fmt.Errorf("store dead letter: %w; it is one because: %w", verdict, d.reason)
		s.failure.Store(&verdict)
	}
	s.finish()
}

// slotQueue holds a session's slots in the order of their frames. The reader pushes slots
// and the writer pops them; the atomic pushed makes a slot visible to the writer.
type slotQueue struct {
	pushed atomic.Uint64 // slots so far

	last *segment // used by the reader

	popped atomic.Uint64 // slots so far
	first  *segment      // used by the writer, as is end
	end    uint64        // number of slots up to the end of first
}

// segment is part of a queue. Slots are not reused, since a verdict may arrive long after
// the reply.
type segment struct {
	slots [segmentSize]slot
	next  *segment
}

const segmentSize = 64

func newSlotQueue() *slotQueue {
	s := new(segment)
	return &slotQueue{first: s, last: s, end: segmentSize}
}

// next returns the next slot, for the caller to fill and push.
func (q *slotQueue) next() *slot {
	n := q.pushed.Load()
	if n > 0 && n%segmentSize == 0 {
		q.last.next = new(segment)
		q.last = q.last.next
	}
	s := &q.last.slots[n%segmentSize]
	s.seq = n + 1
	return s
}

func (q *slotQueue) push(s *slot) { q.pushed.Store(s.seq) }

// front returns the slot whose reply is due next, nil if there is none.
func (q *slotQueue) front() *slot {
	popped := q.popped.Load()
	if popped == q.pushed.Load() {
		return nil
	}
	if popped == q.end {
		// Unlink, so that a slot still referenced does not keep later segments alive.
		q.first, q.first.next = q.first.next, nil
		q.end += segmentSize
	}
	return &q.first.slots[popped%segmentSize]
}

func (q *slotQueue) pop() { q.popped.Add(1) }

// isBelow reports whether fewer than limit slots are in the queue.
func (q *slotQueue) isBelow(limit uint64) bool { return q.pushed.Load()-q.popped.Load() < limit }
