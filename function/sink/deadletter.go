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
	Offset    int       // of the error in the body of the request, in bytes
	Request   string    // ID of the request; "" if it has none
	Received  time.Time // when the request arrived
}

// AppendLine appends the dead letter of p as one line of JSON, with its newline.
func (d *DeadLetter) AppendLine(dst []byte, p *format.Parsed) []byte {
	l := deadletter.Letter{
		Time: d.Received, Reason: d.Reason, Offset: &d.Offset, MediaType: d.MediaType, Request: d.Request,
		Namespace: p.Change.Namespace, Set: p.Change.Set, LUT: p.Change.LUT, Message: p.Data,
	}
	if l.Namespace != "" {
		l.Digest = p.Change.Digest[:]
	}
	return l.AppendLine(dst)
}
