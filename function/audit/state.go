package audit

import (
	"iter"

	"github.com/aerosink/aerosink/connector/change"
)

// State is the newest state of a record in the archive.
type State struct {
	Digest  change.Digest
	Set     string
	Version change.Version
	Expiry  int64 // as in [change.Change]

	Object   string // the object or file that has it; "" if the state is not in one
	Position int    // of the change among those of the object and its unreadable lines, from 1
}

// alive reports whether the record exists, as far as the archive knows.
func (s *State) alive() bool { return !s.Version.Op.IsDelete() }

// expiredAt reports whether the record is gone at a time in Unix seconds because it expired.
func (s *State) expiredAt(now int64) bool { return s.Expiry > 0 && s.Expiry <= now }

// states reads a sequence of states, sorted by [order], one range of partitions after the
// other.
type states struct {
	next func() (State, error, bool)
	stop func()
	head State
	more bool
	err  error
}

func newStates(sequence iter.Seq2[State, error]) *states {
	s := &states{}
	s.next, s.stop = iter.Pull2(sequence)
	s.advance()
	return s
}

func (s *states) advance() {
	var err error
	if s.head, err, s.more = s.next(); err != nil {
		s.err, s.more = err, false
	}
}

// before yields the states of partitions below end that were not yielded before. If the
// sequence fails it ends early, and s.err is set.
func (s *states) before(end int) iter.Seq[State] {
	return func(yield func(State) bool) {
		for s.more && s.head.Digest.Partition() < end {
			state := s.head
			s.advance()
			if !yield(state) {
				return
			}
		}
	}
}

// skip passes over the states of partitions below end.
func (s *states) skip(end int) {
	for range s.before(end) {
	}
}
