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
// that cannot be expressed in their format, and changes that a destination refuses
// permanently. [deadletter.File] and [PostedDeadLetters] implement it.
type DeadLetters interface {
	// Store stores l and calls to.Done, with nil once l is stored durably. After the
	// deadline the result is no longer used. Store must not block.
	Store(l deadletter.Letter, deadline time.Time, to change.Recipient)
}

// PostedDeadLetters POSTs dead letters to a destination as application/octet-stream. The
// body is the message; the headers Aerosink-Reason, -Offset, -Namespace, -Digest (Base64)
// and -Lut have the rest. Unknown values have no header.
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

// deadLetterStream sends each dead letter in a request of its own.
var deadLetterStream = &deliver.Stream{Envelope: octetStream{}, MaxRecords: 1, MaxBytes: 1}

// octetStream is the envelope of a single XDR message.
type octetStream struct{}

func (octetStream) Name() string { return "xdr" }

func (octetStream) Seal(records []byte, _ int) ([]byte, string) {
	return records, "application/octet-stream"
}

// headerOf returns the headers that describe l.
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
