package function

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"time"
)

// errStopping is why the contexts of requests end that are too slow for the end of
// the server.
var errStopping = errors.New("the server stops")

// intake reads the bodies of requests into memory, and bounds how much of it and
// how much time they take: one, and all together.
type intake struct {
	limits Limits
	gauge  gauge

	// inflating has a place for each body that is inflated at the moment: more at
	// once would not be faster, and take more memory.
	inflating chan struct{}
}

func newIntake(limits Limits) *intake {
	return &intake{limits: limits, gauge: gauge{limit: limits.InFlight}, inflating: make(chan struct{}, runtime.GOMAXPROCS(0))}
}

// buffer returns an empty buffer for the body of a request.
func (in *intake) buffer() *buffer { return &buffer{gauge: &in.gauge, most: in.limits.Inflated} }

// read reads the whole body, inflated, into body, which the caller frees whatever
// comes of it. An error is a problem.
func (in *intake) read(w http.ResponseWriter, req *http.Request, body *buffer) error {
	codings, err := codingsOf(req.Header)
	switch {
	case err != nil:
		return err
	case req.ContentLength > in.limits.Body:
		return in.tooLarge()
	case len(codings) == 0:
		return in.receive(w, req, body)
	}
	wire := in.buffer()
	defer wire.free()
	if err := in.receive(w, req, wire); err != nil || len(wire.bytes()) == 0 {
		return err
	}
	return in.inflate(req.Context(), codings, wire, body)
}

// receive reads the body as it was sent, until it is too slow or the server stops.
func (in *intake) receive(w http.ResponseWriter, req *http.Request, wire *buffer) error {
	ctx, control := req.Context(), http.NewResponseController(w)
	wire.most = in.limits.Body
	if req.ContentLength >= 0 {
		wire.most = req.ContentLength
	}
	_ = control.SetReadDeadline(time.Now().Add(in.limits.BodyTimeout)) // a recorder of tests has none
	ended := make(chan struct{})
	watch := context.AfterFunc(ctx, func() {
		defer close(ended)
		_ = control.SetReadDeadline(time.Now())
	})
	err := wire.readAll(http.MaxBytesReader(w, req.Body, in.limits.Body), 0)
	if !watch() {
		<-ended // after the request control must not be used
	}
	var over *http.MaxBytesError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &over):
		return in.tooLarge()
	case errors.Is(err, errNoRoom):
		return in.noRoom()
	case errors.Is(context.Cause(ctx), errStopping):
		return &problem{Status: http.StatusServiceUnavailable, Detail: errStopping.Error() + " and the body has not come yet"}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &problem{
			Status: http.StatusRequestTimeout,
			Detail: fmt.Sprintf("the body has not come within %s, the limit of %s; %d bytes have", in.limits.BodyTimeout, bodyTime.Name, len(wire.bytes())),
		}
	}
	return &problem{Status: http.StatusBadRequest, Detail: fmt.Sprintf("the body ends after %d bytes: %v", len(wire.bytes()), err)}
}

// inflate inflates wire into body when it has a place for it.
func (in *intake) inflate(ctx context.Context, codings []*coding, wire, body *buffer) error {
	wait, cancel := context.WithTimeout(ctx, in.limits.BodyTimeout)
	defer cancel()
	select {
	case in.inflating <- struct{}{}:
		defer func() { <-in.inflating }()
	case <-wait.Done():
		return in.noRoom()
	}
	err := inflate(bytes.NewReader(wire.bytes()), codings, &in.limits, func(r io.Reader) error {
		return body.readAll(r, wire.size())
	})
	var over *tooMuch
	switch {
	case err == nil:
		return nil
	case errors.As(err, &over):
		return &problem{Status: http.StatusRequestEntityTooLarge, Detail: fmt.Sprintf("the body inflates to %v; send fewer changes at once", over)}
	case errors.Is(err, errNoRoom):
		return in.noRoom()
	}
	return &problem{Status: http.StatusBadRequest, Detail: fmt.Sprintf("the body does not inflate: %v", err)}
}

func (in *intake) tooLarge() error {
	return &problem{
		Status: http.StatusRequestEntityTooLarge,
		Detail: fmt.Sprintf("the body has more than %d bytes, the limit of %s; send fewer changes at once", in.limits.Body, maxBody.Name),
	}
}

func (in *intake) noRoom() error {
	return &problem{
		Status: http.StatusTooManyRequests,
		Detail: fmt.Sprintf("the requests at this moment hold %d bytes, the limit of %s; send this one again a little later", in.limits.InFlight, maxInFlight.Name),
		Header: http.Header{"Retry-After": {"1"}},
	}
}
