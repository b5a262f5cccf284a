package format

import (
	"fmt"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/xdr"
)

// XDR is the database's own format: the messages as they came. It is the cheapest,
// and the one that loses nothing.
//
// A single message is sent as ESP sends it, to XDR Proxy for example: behind a
// byte that says version 1. Batches are one message after another.
type XDR struct{}

// The media types of [XDR], of a single message and of several.
const (
	MediaOctets = "application/octet-stream"
	MediaXDR    = "application/vnd.aerosink.xdr"
)

// espVersion is the byte in front of a message sent alone. No message begins with
// it: the version of the proto header is 2.
const espVersion = 1

// Name returns "xdr".
func (XDR) Name() string { return "xdr" }

// Append implements [Format] for a change that is not, or no more, the message it
// came as. A message says in how many seconds the record expires, as of now.
func (XDR) Append(dst []byte, c *change.Change) ([]byte, error) {
	message, err := xdr.AppendMessage(dst, c, time.Now())
	if err != nil {
		return dst, err
	}
	return message, nil
}

// Seal implements [Format].
func (XDR) Seal(records []byte, n int) ([]byte, string) {
	if n == 1 {
		body := make([]byte, 0, 1+len(records))
		return append(append(body, espVersion), records...), MediaOctets
	}
	return records, MediaXDR
}

// xdr reads messages one after another, each with or without ESP's byte in front.
// A message that makes no sense says nothing about the next one.
func (p Parser) xdr(body []byte) ([]Parsed, error) {
	now := p.Now
	if now == nil {
		now = time.Now
	}
	d := xdr.NewDecoder(maxInflated, now)
	var parsed []Parsed
	inflated := 0
	for rest := body; len(rest) > 0; {
		if rest[0] == espVersion {
			rest = rest[1:]
		}
		at := len(body) - len(rest)
		frame, next, err := xdr.Cut(rest)
		if err != nil {
			return nil, fault(at, "%v", err)
		}
		if len(parsed) == mostChanges(len(body)) {
			return nil, fault(at, tooMany)
		}
		one := Parsed{Data: frame, Format: XDR{}.Name()}
		var n int
		if n, one.Err = decode(d, frame, &one.Change); one.Err != nil {
			one.Err = fmt.Errorf("byte %d: %w", at, one.Err)
		}
		if inflated += n; inflated > maxInflated {
			return nil, fault(at, "the messages inflate to more than %d bytes", maxInflated)
		}
		parsed = append(parsed, one)
		rest = next
	}
	return parsed, nil
}

// decode decodes a message, and returns to how many bytes it was inflated, if it
// was.
func decode(d *xdr.Decoder, frame xdr.Frame, c *change.Change) (inflated int, err error) {
	bins, err := d.Metadata(frame, c)
	if err != nil {
		return 0, err
	}
	if frame.Compressed() {
		inflated = len(bins.Plain())
	}
	return inflated, d.Bins(bins, c)
}
