package format

import (
	"errors"
	"fmt"
	"io"

	"github.com/aerosink/aerosink/connector/xdr"
)

// xdr reads messages one after another, each with or without ESP's byte in front,
// with or without its proto header. Of a message without one, Data is a copy that
// has it, so that what is passed on is always a whole message. A message that makes
// no sense says nothing about the next one.
func (b *batch) xdr(body []byte) error {
	d := xdr.NewDecoder(xdr.MaxSize, b.parser.Now)
	for rest := body; len(rest) > 0; {
		if rest[0] == espVersion {
			rest = rest[1:]
		}
		at := len(body) - len(rest)
		frame, next, err := cutMessage(rest)
		if err != nil {
			return fault(at, "%w", err)
		}
		one, err := b.add(at, XDR{}.Name())
		if err != nil {
			return err
		}
		plain, err := b.inflate(frame)
		if errors.Is(err, errTogether) {
			return tooLarge(at, "the messages inflate to more than %d bytes", b.parser.Limits.Inflated)
		}
		if err == nil {
			err = d.Decode(plain, &one.Change)
		}
		b.end(one, frame, ofMessage(at, err))
		rest = next
	}
	return nil
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
	return nil, nil, fmt.Errorf("no XDR message begins with 0x%02x: it is 0x%02x with a proto header, and 0x%02x without", b[0], xdr.FirstByte, xdr.FirstByteBare)
}

// errTogether says that a message is too much after those before it.
var errTogether = errors.New("the messages together inflate to too much")

// inflate returns the plain message of a frame, within what may still be inflated.
func (b *batch) inflate(frame xdr.Frame) (xdr.Frame, error) {
	alone := min(b.parser.Limits.Inflated, b.parser.Limits.Change)
	limit := min(alone, b.left)
	plain, n, err := xdr.Inflate(frame, limit)
	b.inflated(n)
	if limit < alone && isFault(err, xdr.InflatedSizeTooBig) {
		return nil, errTogether
	}
	return plain, err
}

// ofMessage makes the error of the message at an offset one of the body.
func ofMessage(at int, err error) error {
	switch {
	case err == nil:
		return nil
	case isFault(err, xdr.InflatedSizeTooBig), isFault(err, xdr.TooDeep):
		return tooLarge(at, "%w", err)
	}
	return fault(at, "%w", err)
}

func isFault(err error, fault xdr.Fault) bool {
	var e *xdr.Error
	return errors.As(err, &e) && e.Fault == fault
}
