// Package intake authorizes requests and reads their bodies into memory. The result is the
// inflated body, or a [problem.Problem] to answer with.
//
//  1. [Guard.Admit] checks the bearer token (guard.go).
//  2. [Reader.Read] reads the body as sent, within the limits of size, memory and time
//     (reader.go), into a [Buffer] whose memory is counted and pooled (buffer.go).
//  3. It inflates the body if it has a Content-Encoding (coding.go).
//
// The package does not interpret the content of a body.
package intake

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

	"github.com/aerosink/aerosink/connector/plural"
	"github.com/aerosink/aerosink/function/problem"
)

// ErrStopping is the cause of cancellation of the requests that are still running when the
// server stops.
var ErrStopping = errors.New("the server is stopping")

// Reader reads the bodies of requests into memory. It bounds how much memory and time they
// take, each and all together. It may be used by several goroutines at once.
type Reader struct {
	limits  Limits
	counter memoryCounter

	// inflating is a semaphore for bodies being inflated. More at once would not be
	// faster, but take more memory.
	inflating chan struct{}
}

// NewReader returns a Reader with these limits.
func NewReader(limits Limits) *Reader {
	return &Reader{limits: limits, counter: memoryCounter{limit: limits.InFlight}, inflating: make(chan struct{}, runtime.GOMAXPROCS(0))}
}

// InFlight returns how many bytes of memory hold bodies.
func (r *Reader) InFlight() int64 { return r.counter.held.Load() }

// Buffer returns an empty buffer for the body of a request.
func (r *Reader) Buffer() *Buffer { return &Buffer{counter: &r.counter, max: r.limits.Inflated} }

// Read reads the whole body, inflated, into body. The caller frees body, even after an
// error. Errors are problems.
func (r *Reader) Read(w http.ResponseWriter, req *http.Request, body *Buffer) error {
	codings, err := codingsOf(req.Header)
	switch {
	case err != nil:
		return err
	case req.ContentLength > r.limits.Body:
		return r.tooLarge()
	case len(codings) == 0:
		return r.receive(w, req, body)
	}
	wire := r.Buffer()
	defer wire.Free()
	if err := r.receive(w, req, wire); err != nil || len(wire.Bytes()) == 0 {
		return err
	}
	return r.inflate(req.Context(), codings, wire, body)
}

// receive reads the body as sent. It gives up after the time limit, or when the server stops.
func (r *Reader) receive(w http.ResponseWriter, req *http.Request, wire *Buffer) error {
	ctx, control := req.Context(), http.NewResponseController(w)
	wire.max = r.limits.Body
	if req.ContentLength >= 0 {
		wire.max = req.ContentLength
	}
	_ = control.SetReadDeadline(time.Now().Add(r.limits.BodyTimeout)) // a test's recorder has none
	ended := make(chan struct{})
	watch := context.AfterFunc(ctx, func() {
		defer close(ended)
		_ = control.SetReadDeadline(time.Now())
	})
	err := wire.readAll(http.MaxBytesReader(w, req.Body, r.limits.Body), 0)
	if !watch() {
		<-ended // control must not be used after the request
	}
	var over *http.MaxBytesError
	var memory *memoryError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &over):
		return r.tooLarge()
	case errors.As(err, &memory):
		return overloaded(memory.Error())
	case errors.Is(context.Cause(ctx), ErrStopping):
		return &problem.Problem{Status: http.StatusServiceUnavailable, Detail: ErrStopping.Error() + " before the body has arrived"}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &problem.Problem{
			Status: http.StatusRequestTimeout,
			Detail: fmt.Sprintf("the body has not arrived within %s, the limit of %s; got %s", r.limits.BodyTimeout, BodyTimeout, plural.Of(len(wire.Bytes()), "byte")),
		}
	}
	return &problem.Problem{Status: http.StatusBadRequest, Detail: fmt.Sprintf("the body ends after %s: %v", plural.Of(len(wire.Bytes()), "byte"), err)}
}

// inflate inflates wire into body, after it has waited for the semaphore.
func (r *Reader) inflate(ctx context.Context, codings []*coding, wire, body *Buffer) error {
	wait, cancel := context.WithTimeout(ctx, r.limits.BodyTimeout)
	defer cancel()
	select {
	case r.inflating <- struct{}{}:
		defer func() { <-r.inflating }()
	case <-wait.Done():
		return r.notInflated(ctx)
	}
	err := inflate(bytes.NewReader(wire.Bytes()), codings, &r.limits, func(in io.Reader) error {
		return body.readAll(in, wire.size())
	})
	var over *sizeError
	var memory *memoryError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &over):
		return &problem.Problem{Status: http.StatusRequestEntityTooLarge, Detail: fmt.Sprintf("the body inflates to %v; send fewer changes at once", over)}
	case errors.As(err, &memory):
		return overloaded(memory.Error())
	}
	return &problem.Problem{Status: http.StatusBadRequest, Detail: fmt.Sprintf("the body does not inflate: %v", err)}
}

func (r *Reader) tooLarge() error {
	return &problem.Problem{
		Status: http.StatusRequestEntityTooLarge,
		Detail: fmt.Sprintf("the body has more than %s, the limit of %s; send fewer changes at once", plural.Of(int(r.limits.Body), "byte"), MaxBody),
	}
}

// notInflated returns the problem of a body that has waited for the semaphore in vain.
func (r *Reader) notInflated(ctx context.Context) error {
	cause := context.Cause(ctx)
	if cause == nil {
		return overloaded(fmt.Sprintf("the body has waited %s to be inflated, the limit of %s", r.limits.BodyTimeout, BodyTimeout))
	}
	detail := "the request was cancelled before the body was inflated: " + cause.Error()
	if errors.Is(cause, ErrStopping) {
		detail = ErrStopping.Error() + " before the body was inflated"
	}
	return &problem.Problem{Status: http.StatusServiceUnavailable, Detail: detail}
}

func overloaded(reason string) error {
	return &problem.Problem{
		Status: http.StatusTooManyRequests,
		Detail: reason + "; send it again a little later",
		Header: http.Header{"Retry-After": {"1"}},
	}
}
