package raw

import (
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
