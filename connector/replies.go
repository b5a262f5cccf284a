package connector

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/xdr"
)

// slot is the place of one frame in the order of its session. It is the
// recipient of the frame's verdicts.
type slot struct {
	session *session
	seq     uint64    // 1 for the session's first
	arrived time.Time // when the frame was read
	lut     int64     // of the change, in Unix milliseconds; 0 when unknown
	place   *place    // counts the changes of the same namespace and set
	message xdr.Frame // for the dead letters; nil when there are none
	copies  *copies   // nil with one destination
	size    int       // bytes in flight
	outcome outcome

	missing atomic.Int32          // verdicts that have not landed
	settled atomic.Bool           // all have; then nothing of the change is in flight
	dead    atomic.Bool           // the message is in the dead letters
	failure atomic.Pointer[error] // the worst verdict so far
}

// outcome is what became of a change before any destination had a say.
type outcome uint8

const (
	sent      outcome = iota // to destinations, or nowhere because of an error
	skipped                  // by routing, or because it is the server's own affair
	stale                    // a newer version of the record was sent before
	malformed                // could not be decoded
)

// Done takes one destination's verdict.
func (s *slot) Done(verdict error) {
	if verdict != nil {
		s.worsen(verdict)
	}
	if s.missing.Add(-1) > 0 {
		return
	}
	if err := s.verdict(); err != nil && s.message != nil && change.IsPermanent(err) {
		s.bury(err)
		return
	}
	s.land()
}

// land lets the writer have the slot.
func (s *slot) land() {
	if s.copies != nil {
		s.session.server.repeats.settle(s.copies, s.verdict() == nil)
	}
	s.session.server.bounds.release(s.size)
	s.message = nil
	s.settled.Store(true)
	s.session.landed(s.seq)
}

// bury puts the message where what can never be delivered is kept.
func (s *slot) bury(reason error) {
	s.session.server.config.DeadLetters.Bury(letterOf(s, reason), (*burial)(s))
}

// burial is a slot whose message is on its way to the dead letters.
type burial slot

// Done takes the verdict on the dead letter: once it is safe, the change counts
// as delivered.
func (b *burial) Done(verdict error) {
	s := (*slot)(b)
	if verdict == nil {
		s.dead.Store(true)
		s.failure.Store(nil)
	} else {
		verdict = fmt.Errorf("dead letter: %w; it was to be one because: %w", verdict, s.verdict())
		s.failure.Store(&verdict)
	}
	s.land()
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
