package store

import (
	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/function/sink"
)

// Outcome is what became of the changes of a request.
type Outcome struct {
	changes     int
	verdicts    sink.Verdicts // nil if all are stored
	deadLetters bool          // changes with a permanent verdict are dead letters
}

// Result is what became of one change.
type Result int

// The results, with the values that the metrics have as verdicts.
const (
	Stored  Result = iota // in every sink
	Retry                 // not in all of them yet
	Dead                  // stored as a dead letter
	Refused               // for good, since there are no dead letters
	NumResults
)

// String returns the name that metrics have for the result.
func (r Result) String() string {
	return [NumResults]string{"stored", "retry", "dead", "refused"}[r]
}

// Changes returns how many changes the request brought.
func (o *Outcome) Changes() int { return o.changes }

// AllStored reports whether every change is stored in every sink.
func (o *Outcome) AllStored() bool { return o.verdicts == nil }

// Of returns what became of change i.
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

// Err returns why change i is not stored, nil if it is.
func (o *Outcome) Err(i int) error {
	if o.verdicts == nil {
		return nil
	}
	return o.verdicts[i]
}

// IsSuccess reports whether the request need not come again.
func (o *Outcome) IsSuccess() bool {
	for i := range o.verdicts {
		if r := o.Of(i); r == Retry || r == Refused {
			return false
		}
	}
	return true
}
