package connector

import (
	"encoding/base64"
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/deadletter"
	"github.com/aerosink/aerosink/connector/deliver"
)

// DeadLetters stores what can never be delivered: messages that cannot be decoded, changes
// that their format cannot express, and what a destination refuses for good. A
// [deadletter.File] is one, and so are [PostedDeadLetters].
type DeadLetters interface {
	// Store stores l, and tells the recipient nil once it is safe. After the deadline
	// nobody waits for that. Store must not block.
	Store(l deadletter.Letter, deadline time.Time, to change.Recipient)
}

// PostedDeadLetters POST dead letters to a destination as application/octet-stream: the
// message is the body; headers Aerosink-Reason, -Offset, -Namespace, -Digest (Base64) and
// -Lut tell the rest. What is unknown has no header.
type PostedDeadLetters struct{ Destination *deliver.Destination }

// Store implements [DeadLetters].
func (p PostedDeadLetters) Store(l deadletter.Letter, deadline time.Time, to change.Recipient) {
	item := deliver.Item{
		Stream: deadLetterStream, Record: l.Message, Namespace: l.Namespace,
		Header: headerOf(&l), Deadline: deadline, To: to,
	}
	if len(l.Digest) > 0 {
		item.Partition = change.Digest(l.Digest).Partition()
	}
	p.Destination.Send(item)
}

// deadLetterStream sends each dead letter by itself.
var deadLetterStream = &deliver.Stream{Envelope: octetStream{}, MaxRecords: 1, MaxBytes: 1}

// octetStream is the envelope of a single XDR message.
type octetStream struct{}

func (octetStream) Name() string { return "xdr" }

func (octetStream) Seal(records []byte, _ int) ([]byte, string) {
	return records, "application/octet-stream"
}

func headerOf(l *deadletter.Letter) http.Header {
	h := http.Header{"Aerosink-Reason": {mime.QEncoding.Encode("utf-8", l.Reason)}}
	if l.Offset != nil {
		h.Set("Aerosink-Offset", strconv.Itoa(*l.Offset))
	}
	if l.Namespace == "" {
		return h
	}
	h.Set("Aerosink-Namespace", mime.QEncoding.Encode("utf-8", l.Namespace))
	h.Set("Aerosink-Digest", base64.StdEncoding.EncodeToString(l.Digest))
	if l.LUT > 0 {
		h.Set("Aerosink-Lut", strconv.FormatInt(l.LUT, 10))
	}
	return h
}
