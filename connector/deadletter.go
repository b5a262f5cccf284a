package connector

import (
	"errors"
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/deliver"
	"github.com/aerosink/aerosink/connector/xdr"
)

// DeadLetters keeps what can never be delivered: messages that cannot be decoded,
// changes that their format cannot express, and what a destination refuses for
// good.
type DeadLetters interface {
	// Bury keeps l, and settles with nil once it is safe. It must not block.
	Bury(l Letter, to change.Recipient)
}

// Letter is a message that can never be delivered, as it came from the database,
// and why it cannot.
type Letter struct {
	Message xdr.Frame
	Reason  string // never holds the record's data
	Offset  int    // of the fault in Message, in bytes; -1 when it is not known

	// Metadata of the change, where it could be read.
	Namespace string
	Digest    change.Digest
	LUT       int64 // Unix milliseconds

	Deadline time.Time // after which nobody waits for the verdict
}

// letterOf returns the letter of a slot. It reads the message once more: letters
// are few, and no other change has to carry for them what they tell.
func letterOf(s *slot, reason error) Letter {
	l := Letter{
		Message: s.message, Reason: reason.Error(), Offset: -1,
		Deadline: s.arrived.Add(s.session.server.config.Budget),
	}
	if fault := (*xdr.Error)(nil); errors.As(reason, &fault) {
		l.Offset = fault.Offset
	}
	var c change.Change
	if _, err := xdr.NewDecoder(s.session.server.config.MaxMessageBytes, time.Now).Metadata(s.message, &c); err == nil {
		l.Namespace, l.Digest, l.LUT = c.Namespace, c.Digest, c.LUT
	}
	return l
}

// PostedLetters POSTs letters to a destination as application/octet-stream: the
// message is the body, the rest is in headers Aerosink-Reason, -Offset,
// -Namespace, -Digest (Base64) and -Lut. What is not known has no header.
type PostedLetters struct{ Destination *deliver.Destination }

// Bury implements [DeadLetters].
func (p PostedLetters) Bury(l Letter, to change.Recipient) {
	p.Destination.Send(deliver.Item{
		Stream: letters, Record: l.Message, Partition: l.Digest.Partition(),
		Namespace: l.Namespace, Header: l.header(), Deadline: l.Deadline, To: to,
	})
}

// letters sends each letter by itself.
var letters = &deliver.Stream{Envelope: octets{}, MaxRecords: 1, MaxBytes: 1}

type octets struct{}

func (octets) Name() string { return "xdr" }

func (octets) Seal(records []byte, _ int) ([]byte, string) {
	return records, "application/octet-stream"
}

func (l Letter) header() http.Header {
	h := http.Header{"Aerosink-Reason": {mime.QEncoding.Encode("utf-8", l.Reason)}}
	if l.Offset >= 0 {
		h.Set("Aerosink-Offset", strconv.Itoa(l.Offset))
	}
	if l.Namespace == "" {
		return h
	}
	h.Set("Aerosink-Namespace", mime.QEncoding.Encode("utf-8", l.Namespace))
	h.Set("Aerosink-Digest", l.Digest.String())
	if l.LUT > 0 {
		h.Set("Aerosink-Lut", strconv.FormatInt(l.LUT, 10))
	}
	return h
}
