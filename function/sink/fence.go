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
	// Read sets the version of each of states to the newest one that was recorded, or to the
	// zero Version if none was. It returns a verdict on each, as Put does; the version of a
	// state with an error is not to be used. No two of states are of the same record.
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
