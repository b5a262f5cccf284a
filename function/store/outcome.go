package store

import (
	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/function/sink"
)

// Outcome has the result of each change of a request.
type Outcome struct {
	changes     int
	verdicts    sink.Verdicts // nil if all are stored or stale
	stale       []bool        // changes without a verdict that are not stored because they are stale; nil if there are none
	deadLetters bool          // changes with a permanent verdict are dead letters
	unfenced    Unfenced
}

// Unfenced says how many changes were stored without the fence because it failed.
type Unfenced struct {
	Changes int
	Err     error // of the first; nil if there are none
}

func (u *Unfenced) count(err error) {
	if u.Changes++; u.Err == nil {
		u.Err = err
	}
}

// Result is the result of one change.
type Result int

// The possible results.
const (
	Stored  Result = iota // in every sink
	Retry                 // not in every sink yet
	Dead                  // stored as a dead letter
	Refused               // permanently, without dead letters
	Stale                 // dropped: every sink has the same or a newer version of the record
	NumResults
)

// String returns the value of the label verdict in metrics.
func (r Result) String() string {
	return [NumResults]string{"stored", "retry", "dead", "refused", "stale"}[r]
}

// Changes returns how many changes the request brought.
func (o *Outcome) Changes() int { return o.changes }

// AllStored reports whether every sink has every change, or a newer version of its record.
func (o *Outcome) AllStored() bool { return o.verdicts == nil }

// Of returns the result of change i.
func (o *Outcome) Of(i int) Result {
	switch {
	case o.stale != nil && o.stale[i]:
		return Stale
	case o.verdicts == nil || o.verdicts[i] == nil:
		return Stored
	case !change.IsPermanent(o.verdicts[i]):
		return Retry
	case o.deadLetters:
		return Dead
	}
	return Refused
}

// Stale returns how many changes were dropped because they are stale.
func (o *Outcome) Stale() int {
	n := 0
	for _, stale := range o.stale {
		if stale {
			n++
		}
	}
	return n
}

// Unfenced returns how many changes were stored without the fence because it failed.
func (o *Outcome) Unfenced() Unfenced { return o.unfenced }

// Err returns the error why change i is not stored, nil if it is stored or stale.
func (o *Outcome) Err(i int) error {
	if o.verdicts == nil {
		return nil
	}
	return o.verdicts[i]
}

// IsSuccess reports whether the request need not be repeated.
func (o *Outcome) IsSuccess() bool {
	for i := range o.verdicts {
		if r := o.Of(i); r == Retry || r == Refused {
			return false
		}
	}
	return true
}
