package function

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/deadletter"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/intake"
	"github.com/aerosink/aerosink/function/problem"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/store"
)

// storeDeadLetter stores a request that a connector has marked as a dead letter. It is one
// even if its body can be read: the connector sends it apart from the other changes, so that
// a sink would get the versions of its record in any order. The body is empty if the message
// was too large for the connector.
func (r *Receiver) storeDeadLetter(w http.ResponseWriter, req *http.Request, reader *intake.Reader, from origin) (*store.Outcome, error) {
	received := time.Now()
	body := reader.Buffer()
	defer body.Free()
	mediaType, to, err := r.read(w, req, reader, body)
	if err != nil {
		return nil, err
	}
	l, err := deadletter.ParseHeader(req.Header)
	switch {
	case err != nil:
		return nil, &problem.Problem{Status: http.StatusBadRequest, Detail: err.Error()}
	case !to.store.HasDeadLetters():
		return nil, &problem.Problem{Status: http.StatusBadRequest, Detail: "the request is a dead letter of a connector; set DEAD_LETTERS to take such requests"}
	}
	l.Message, l.MediaType, l.Request, l.Time = body.Bytes(), mediaType, from.Request, received
	ctx, cancel := context.WithTimeout(req.Context(), to.settings.Timeout)
	defer cancel()
	c := unreadable(&l)
	o := to.store.PutDeadLetter(ctx, c, ofSender(&l), from.TraceParent())
	r.metrics.count([]format.Parsed{c}, &o)
	return &o, nil
}

// unreadable returns the message of l as a change that cannot be read.
func unreadable(l *deadletter.Letter) format.Parsed {
	p := format.Parsed{Data: l.Message, Err: change.Permanent(errors.New(l.Reason))}
	p.Change.Namespace, p.Change.Set, p.Change.LUT = l.Namespace, l.Set, l.LUT
	copy(p.Change.Digest[:], l.Digest)
	return p
}

// ofSender returns a dead letter of a connector as one of the function.
func ofSender(l *deadletter.Letter) sink.DeadLetter {
	d := sink.DeadLetter{MediaType: l.MediaType, Reason: l.Reason, Offset: sink.UnknownOffset, Size: l.Size, Request: l.Request, Received: l.Time}
	if l.Offset != nil {
		d.Offset = *l.Offset
	}
	return d
}
