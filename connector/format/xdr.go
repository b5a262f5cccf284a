package format

import (
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
// it: see xdr.FirstByte.
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
