package raw

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/xdr"
)

// Format is the database's own format: the messages as they came. It is the cheapest,
// and the one that loses nothing.
//
// A single message is sent as ESP sends it, to XDR Proxy for example: behind a
// byte that says version 1. Batches are one message after another.
type Format struct{}

// espVersion is the byte in front of a message sent alone. No message begins with
// it: see xdr.FirstByte.
const espVersion = 1

// Name returns "xdr".
func (Format) Name() string { return "xdr" }

// Append implements [format.Format] for a change that is not, or no more, the message it
// came as. A message says in how many seconds the record expires, as of now.
func (Format) Append(dst []byte, c *change.Change) ([]byte, error) {
	message, err := xdr.AppendMessage(dst, c, time.Now())
	if err != nil {
		return dst, err
	}
	return message, nil
}

// Seal implements [format.Format].
func (Format) Seal(records []byte, n int) ([]byte, string) {
	if n == 1 {
		body := make([]byte, 0, 1+len(records))
		return append(append(body, espVersion), records...), format.MediaOctets
	}
	return records, format.MediaXDR
}

// minMessage is the least that a message takes, in bytes: its header, and the fields of
// namespace and digest.
const minMessage = 48

// xdr reads messages one after another, each with or without ESP's byte in front,
// with or without its proto header. Of a message without one, Data is a copy that
// has it, so that what is passed on is always a whole message. A message that makes
// no sense says nothing about the next one.
func Parse(body []byte, o format.Options) ([]format.Parsed, error) {
	c := format.NewCollector(o, len(body), minMessage)
	d := xdr.NewDecoder(xdr.MaxSize, c.Options.Now)
	for rest := body; len(rest) > 0; {
		if rest[0] == espVersion {
			rest = rest[1:]
		}
		at := len(body) - len(rest)
		frame, next, err := cutMessage(rest)
		if err != nil {
			return nil, format.ErrorAt(at, "%w", err)
		}
		p, err := c.Begin(at, Format{}.Name())
		if err != nil {
			return nil, err
		}
		plain, err := inflate(c, frame)
		if errors.Is(err, errTotalInflated) {
			return nil, format.TooLargeAt(at, "the messages inflate to more than %d bytes", c.Options.Limits.Inflated)
		}
		if err == nil {
			err = d.Decode(plain, &p.Change)
		}
		c.End(p, frame, messageError(at, err))
		rest = next
	}
	return c.Changes(), nil
}

// cutMessage splits the first message off b.
func cutMessage(b []byte) (xdr.Frame, []byte, error) {
	switch {
	case len(b) == 0:
		return nil, nil, io.ErrUnexpectedEOF
	case b[0] == xdr.FirstByte:
		return xdr.Cut(b)
	case b[0] == xdr.FirstByteBare:
		return xdr.CutBare(b)
	}
	return nil, nil, fmt.Errorf("not an XDR message: it begins with 0x%02x, want 0x%02x (with a proto header) or 0x%02x (without)", b[0], xdr.FirstByte, xdr.FirstByteBare)
}

// errTotalInflated says that a message is too much after those before it.
var errTotalInflated = errors.New("the messages together inflate to too much")

// inflate returns the plain message of a frame, within what may still be inflated.
func inflate(c *format.Collector, frame xdr.Frame) (xdr.Frame, error) {
	alone := min(c.Options.Limits.Inflated, c.Options.Limits.Change)
	limit := min(alone, c.InflateLimit())
	plain, n, err := xdr.Inflate(frame, limit)
	c.CountInflated(n)
	if limit < alone && isFault(err, xdr.InflatedSizeTooBig) {
		return nil, errTotalInflated
	}
	return plain, err
}

// messageError makes the error of the message at an offset one of the body.
func messageError(at int, err error) error {
	switch {
	case err == nil:
		return nil
	case isFault(err, xdr.InflatedSizeTooBig), isFault(err, xdr.TooDeep):
		return format.TooLargeAt(at, "%w", err)
	}
	return format.ErrorAt(at, "%w", err)
}

func isFault(err error, fault xdr.Fault) bool {
	var e *xdr.Error
	return errors.As(err, &e) && e.Fault == fault
}
