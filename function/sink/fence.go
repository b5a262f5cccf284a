package sink

import (
	"context"

	"github.com/aerosink/aerosink/connector/change"
)

// Fence remembers the newest version of each record that was published, so that duplicates and
// older versions can be dropped. A state is recorded only after every sink has stored the
// change: a stored state proves that the version was published. Its methods may be called by
// several goroutines at once.
type Fence interface {
	// Read sets the versions of each of states to those that were recorded, or to the zero
	// Version if none were. It returns a verdict on each, as Put does; the versions of a state
	// with an error are not to be used. No two of states are of the same record.
	Read(ctx context.Context, states []State) Verdicts

	// Write records each of states for which [State.IsBefore] says so of the recorded one.
	// Others are left alone, which is no error. No two of states are of the same record.
	Write(ctx context.Context, states []State) Verdicts

	// Close closes the fence. It does not wait: all Reads and Writes must have returned.
	Close() error
}

// State is a record and the newest version of it that was published. Namespace and digest
// identify the record: two namespaces may have records with the same digest.
type State struct {
	Namespace string // may share memory with the change that it comes from
	Digest    change.Digest
	Version   change.Version // the zero Version if none is known

	// Partial says that Version is an update of some bins. Base is then the newest version
	// with all bins, or the delete, that was known when Version was recorded: the zero Version
	// if none was. Otherwise Base is not used.
	Partial bool
	Base    change.Version
}

// Supersedes reports whether c need not be published, because it or a version with all that it
// has was. A newer update may lack bins of c, and so may any newer version if c is an update.
func (s *State) Supersedes(c *change.Change) bool {
	v := c.Version()
	switch {
	case v == s.Version:
		return s.Version.Supersedes(v)
	case c.Mode == change.Update:
		return false
	}
	base := s.base()
	return base.Supersedes(v)
}

// Advance makes the version of c, which was published, that of s, if IsBefore says so. It
// reports whether it did.
func (s *State) Advance(c *change.Change) bool {
	v := c.Version()
	if !s.IsBefore(v) {
		return false
	}
	if c.Mode == change.Update {
		s.Partial, s.Base = true, s.base()
	} else {
		s.Partial, s.Base = false, change.Version{}
	}
	s.Version = v
	return true
}

// base returns the newest version with all bins.
func (s *State) base() change.Version {
	if s.Partial {
		return s.Base
	}
	return s.Version
}

// IsBefore reports whether v takes the place of the version in s: it is newer, or it has the
// same last update time and says its generation, which the version in s does not.
func (s *State) IsBefore(v change.Version) bool {
	if v.LUT == s.Version.LUT && s.Version.Generation == 0 {
		return v.Generation != 0
	}
	return v.Compare(s.Version) > 0
}

// FenceSpec says which fence to open and how.
type FenceSpec struct {
	URL string // as configured; it has no secrets

	// Pass says what happens to changes while the fence fails: they are published as if there
	// were no fence. Otherwise they get a verdict that can be retried.
	Pass bool

	// New opens the fence. The context applies only to opening it.
	New func(ctx context.Context) (Fence, error)

	// Probe checks that the fence can be reached and that the program may use it. It stores
	// nothing. A nil Probe means that there is nothing to check.
	Probe func(ctx context.Context) error
}
