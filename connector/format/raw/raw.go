// Package raw sends changes as the XDR messages that the database ships: [Format] puts
// them into a request body and [Parse] reads them from one.
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

// Format is the database's own format: the XDR messages as they were received. It is the
// cheapest format, and the only one that loses nothing.
//
// A single message is sent as ESP sends it, to XDR Proxy for example: after a byte with
// the version, 1. A batch is one message after another.
type Format struct{}

// espVersion is the byte before a message that is sent alone. No message begins with
// it: see xdr.FirstByte.
const espVersion = 1

// Name is the name of the format.
const Name = "xdr"

// Name returns "xdr".
func (Format) Name() string { return Name }

// Append implements [format.Format]. It encodes a new message; a caller that still has the
// original message of an unmodified change appends that instead. The message contains the
// expiry as a number of seconds from now.
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

// minMessage is the least that a message takes, in bytes: its header, and the fields for
// the namespace and the digest.
const minMessage = 48

// Parse reads messages one after another, each with or without ESP's version byte, and
// with or without its proto header. For a message without the header, Data is a copy
// that has one, so that a complete message is passed on. A message that cannot be
// decoded does not affect the next.
func Parse(body []byte, o format.Options) ([]format.Parsed, error) {
	c := format.NewCollector(o, len(body), minMessage)
	d := xdr.NewDecoder(xdr.MaxSize, c.Options.Now)
	d.UseNames(&c.Names)
	for rest := body; len(rest) > 0; {
		if rest[0] == espVersion {
			rest = rest[1:]
		}
		at := len(body) - len(rest)
		frame, next, err := cutMessage(rest)
		if err != nil {
			return nil, format.ErrorAt(at, "%w", err)
		}
		p, err := c.Begin(at, Name)
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

// inflate returns the message of a frame, decompressed within the limits.
func inflate(c *format.Collector, frame xdr.Frame) (xdr.Frame, error) {
	alone := min(c.Options.Limits.Inflated, c.Options.Limits.Change)
	limit := min(alone, c.InflateLimit())
	plain, n, err := xdr.Inflate(frame, limit)
	c.CountInflated(n)
	if limit < alone && isXDRError(err, xdr.InflatedSizeTooBig) {
		return nil, errTotalInflated
	}
	return plain, err
}

// errTotalInflated reports that the messages together inflate to more than the limit.
var errTotalInflated = errors.New("the messages together inflate to more than the limit")

// messageError adds the offset of a message in the body to its error.
func messageError(at int, err error) error {
	switch {
	case err == nil:
		return nil
	case isXDRError(err, xdr.InflatedSizeTooBig), isXDRError(err, xdr.TooDeep):
		return format.TooLargeAt(at, "%w", err)
	}
	return format.ErrorAt(at, "%w", err)
}

func isXDRError(err error, kind xdr.ErrorKind) bool {
	var e *xdr.Error
	return errors.As(err, &e) && e.Kind == kind
}
