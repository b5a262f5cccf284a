package sink

import (
	"time"

	"github.com/aerosink/aerosink/connector/deadletter"
	"github.com/aerosink/aerosink/connector/format"
)

// DeadLetter says why a change is a dead letter, and where it came from.
type DeadLetter struct {
	MediaType string    // of the change's bytes alone
	Reason    string    // never holds users' data
	Offset    int       // of the error in the body of the request, in bytes; UnknownOffset if unknown
	Size      int       // of a change that the sender did not keep, in bytes; else 0
	Request   string    // ID of the request; "" if it has none
	Received  time.Time // when the request arrived
}

// UnknownOffset is the offset of an error of which it is not known where it is.
const UnknownOffset = -1

// AppendLine appends the dead letter of p as one line of JSON, with its newline.
func (d *DeadLetter) AppendLine(dst []byte, p *format.Parsed) []byte {
	l := deadletter.Letter{
		Time: d.Received, Reason: d.Reason, MediaType: d.MediaType, Request: d.Request,
		Namespace: p.Change.Namespace, Set: p.Change.Set, LUT: p.Change.LUT, Message: p.Data, Size: d.Size,
	}
	if d.Offset != UnknownOffset {
		l.Offset = &d.Offset
	}
	if l.Namespace != "" {
		l.Digest = p.Change.Digest[:]
	}
	return l.AppendLine(dst)
}
