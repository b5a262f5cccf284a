// Package ordered sends messages to a service that takes them in calls of several, and says
// of each whether it has it: SQS and Kinesis. The messages of a Put come in, a verdict on each
// goes back; a nil verdict means that the service has the message.
//
// A message takes these steps:
//
//  1. [Sender.Put] admits it, unless too much is queued already, or an earlier change of one
//     of its records failed and has not come again (admission.go).
//  2. It waits behind earlier messages of its records (records.go). Then it is ready, and
//     waits in its group for a call (ready.go).
//  3. A worker takes the messages of a call, makes it, and looks at the result of each
//     (worker.go). Those that may succeed later are delayed, and are ready again after a pause.
//  4. The verdict wakes the Put once it has all (put.go).
//
// # Order
//
// The messages of a record are sent in the order in which they were put. A message is not
// sent before the service has all earlier ones of its records, so two of them are never in
// one call: neither SQS nor Kinesis keeps the others back when one message of a call fails,
// and Kinesis promises no order within a call. Messages of other records go on meanwhile.
//
// When a message fails for good, those behind it fail too, to be retried, and what has failed
// has to come again, in order, before other changes of the record are sent ([failures.Retries]).
// That ends after the pause, since the database ships only the newest version of a record,
// which need not be the one that failed.
//
// A message may be sent twice if an answer was lost. A call whose answer is lost may even
// arrive after its repetition. The first copy of each message that the service had when it
// answered is in order.
//
// # Refusals
//
// A message that the service refuses for what it holds is refused for good only with evidence
// that it is the message: the service has taken another one in the same call, or one that was
// sent after the first refusal, or the message has been refused several times with others
// taken in between ([failures.Refusals]).
package ordered

import (
	"context"
	"time"

	"github.com/aerosink/aerosink/function/sink/failures"
)

// Message is a message to be sent. E is what the service's client takes for each. The Sender
// may use the message for as long as a call lasts, even after Put has returned.
type Message[E any] struct {
	Entry   E
	IDs     []failures.ID // of its changes, in their order
	Group   int           // messages of one group go into one call, if they are ready together
	Size    int           // bytes that it takes in a call
	Content uint64        // a hash by which the same message is recognised when it comes again
}

// Status says what became of a message in a call.
type Status int

const (
	Taken       Status = iota // the service has it
	Failed                    // it may have it, or not; a repetition may succeed
	Throttled                 // it does not have it, and asks for a pause
	Refused                   // it does not take the message, for what it holds
	Unavailable               // it does not have it, and a repetition will not succeed soon
)

// Result is what became of a message in a call.
type Result struct {
	Status Status
	Err    error // nil if it was taken
}

// Config configures a Sender. All values must be set.
type Config[E any] struct {
	Name string // of what is sent to, for errors, such as the URL of the sink

	// Call sends the entries, and sets the result of each. The results are zero before.
	Call func(ctx context.Context, entries []E, results []Result)

	Messages, Bytes int // most of a call
	Calls           int // most calls at once. With one, groups keep their order too, but for messages that failed

	MaxMessages, MaxBytes int // most that may be queued or in flight

	Timeout time.Duration // of a Put. A call may take a third
	Pause   time.Duration // how long others of a record wait for a failed change to come again
}
