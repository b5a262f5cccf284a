package connector

import (
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/deadletter"
	"github.com/aerosink/aerosink/connector/deliver"
)

// DeadLetters stores what can never be delivered: messages that cannot be decoded or are too
// large, changes that cannot be expressed in their format, and changes that a destination
// refuses permanently. [deadletter.File] and [PostedDeadLetters] implement it.
type DeadLetters interface {
	// Store stores l and calls to.Done, with nil once l is stored durably. After the
	// deadline the result is no longer used. Store must not block.
	Store(l deadletter.Letter, deadline time.Time, to change.Recipient)

	// Where returns where dead letters are stored, for the log.
	Where() string
}

// PostedDeadLetters POSTs dead letters to a destination as application/octet-stream. The
// body is the message, and the headers are those of [deadletter.Letter.Header]. Our function
// takes a request with them for a dead letter, whatever its body.
type PostedDeadLetters struct{ Destination *deliver.Destination }

// Store implements [DeadLetters].
func (p PostedDeadLetters) Store(l deadletter.Letter, deadline time.Time, to change.Recipient) {
	item := deliver.Item{
		Stream: deadLetterStream, Record: l.Message, Namespace: l.Namespace, Set: l.Set,
		Header: l.Header(), Deadline: deadline, To: to,
	}
	if len(l.Digest) > 0 {
		item.Partition = change.Digest(l.Digest).Partition()
	}
	p.Destination.Send(item)
}

// Where implements [DeadLetters].
func (p PostedDeadLetters) Where() string { return "destination " + p.Destination.Name() }

// deadLetterStream sends each dead letter in a request of its own.
var deadLetterStream = &deliver.Stream{Envelope: octetStream{}, MaxRecords: 1, MaxBytes: 1}

// octetStream is the envelope of a single XDR message.
type octetStream struct{}

func (octetStream) Name() string { return "xdr" }

func (octetStream) Seal(records []byte, _ int) ([]byte, string) {
	return records, "application/octet-stream"
}
