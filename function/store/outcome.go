package store

import (
	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/function/sink"
)

// Outcome has the result of each change of a request.
type Outcome struct {
	changes     int
	verdicts    sink.Verdicts // nil if all are stored
	deadLetters bool          // changes with a permanent verdict are dead letters
}

// Result is the result of one change.
type Result int

// The possible results.
const (
	Stored  Result = iota // in every sink
	Retry                 // not in every sink yet
	Dead                  // stored as a dead letter
	Refused               // permanently, without dead letters
	NumResults
)

// String returns the value of the label verdict in metrics.
func (r Result) String() string {
	return [NumResults]string{"stored", "retry", "dead", "refused"}[r]
}

// Changes returns how many changes the request brought.
func (o *Outcome) Changes() int { return o.changes }

// AllStored reports whether every change is stored in every sink.
func (o *Outcome) AllStored() bool { return o.verdicts == nil }

// Of returns the result of change i.
func (o *Outcome) Of(i int) Result {
	switch {
	case o.verdicts == nil || o.verdicts[i] == nil:
		return Stored
	case !change.IsPermanent(o.verdicts[i]):
		return Retry
	case o.deadLetters:
		return Dead
	}
	return Refused
}

// Err returns the error why change i is not stored, nil if it is.
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
