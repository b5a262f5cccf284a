package ordered

import (
	"time"

	"github.com/aerosink/aerosink/function/sink/failures"
)

// admission decides which messages of one Put may be queued. Once a message is over the
// limits, so is every later one, and once a change of a record is held back, so are the
// record's later ones. The Sender's lock guards it.
type admission[E any] struct {
	s          *Sender[E]
	now        time.Time
	overloaded bool            // a message was over the limits
	heldBack   map[uint64]bool // records
}

// admit returns nil if the message may be queued, or else its verdict.
func (a *admission[E]) admit(m *Message[E]) error {
	s := a.s
	if a.overloaded || s.queued.messages+1 > s.MaxMessages || s.queued.bytes+m.Size > s.MaxBytes && s.queued.messages > 0 {
		a.overloaded = true
		return s.errOverloaded
	}
	if !a.isNext(m.IDs) {
		return s.errEarlier
	}
	s.retries.Resolve(m.IDs)
	return nil
}

// isNext reports whether the changes of a message may be sent now. If not, they and later
// changes of their records are held back.
func (a *admission[E]) isNext(ids []failures.ID) bool {
	next := true
	if a.heldBack != nil {
		for _, id := range ids {
			next = next && !a.heldBack[id.Record]
		}
	}
	if next && a.s.retries.Allows(ids, a.now) {
		return true
	}
	a.s.retries.Postpone(ids)
	if a.heldBack == nil {
		a.heldBack = map[uint64]bool{}
	}
	for _, id := range ids {
		if id.Record != 0 {
			a.heldBack[id.Record] = true
		}
	}
	return false
}
