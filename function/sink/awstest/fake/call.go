// Package fake has fakes of SQS, Kinesis, S3 and Secrets Manager: HTTP handlers that keep the
// rules and the limits of the services and fail when they are told to. They serve AWS's own
// clients in tests, through package awstest, and the command local of function/cmd/lambda.
//
// A request takes these steps:
//
//  1. ServeHTTP of [SQS], [Kinesis], [S3] or [Secrets] reads it to its end, and refuses one
//     that is not signed for the service and the region ([Region]).
//  2. The fault, if Fail has set one, sees it as a Call and says what shall go wrong.
//  3. The call is checked against the service's rules as a whole, then entry by entry, and
//     what passes is stored.
//  4. The answer is written, unless the fault holds it back or loses it.
//
// The facts are those of the comments in AWS's SDK for Go, which are made from the services'
// models, and of AWS's developer guides. An operation, header or attribute that the fakes do
// not know is refused, so that no client relies on what has no test. Signatures are not
// verified, only that there is one.
package fake

import (
	"io"
	"net/http"
	"strconv"
	"sync"
)

// Region and Account are where all queues, streams and buckets are.
const (
	Region  = "eu-west-1"
	Account = "123456789012"
)

// Call is one request, as a fault sees it before it is handled. A fault sets the fields below
// Operation. The zero values of them let the call be handled as usual.
type Call struct {
	Operation string // such as SendMessageBatch or PutObject

	// Hang is waited for before anything else is done. The client may give up first.
	Hang <-chan struct{}

	// DropConnection closes the connection. The call is not handled.
	DropConnection bool

	// Error is the code of an error with which the call is refused, such as ThrottlingException.
	// Status is its HTTP status, 0 for the one that the service has for it. A Status without an
	// Error is refused as by a proxy, with a body that is not the service's. Message is optional.
	Error   string
	Status  int
	Message string

	// HoldAnswer is waited for after the call was handled and before it is answered.
	HoldAnswer <-chan struct{}

	// LoseAnswer closes the connection after the call was handled.
	LoseAnswer bool
}

// answer is what a service responds.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// serve has the call handled, unless the fault has something else in mind. The refusal returns
// the service's response for an error code; status may be 0.
func (c *Call) serve(w http.ResponseWriter, r *http.Request, refuse func(code, message string, status int) answer, handle func() answer) {
	if !await(r, c.Hang) || c.DropConnection {
		panic(http.ErrAbortHandler)
	}
	var a answer
	switch {
	case c.Error != "":
		message := c.Message
		if message == "" {
			message = "A fault of the test."
		}
		a = refuse(c.Error, message, c.Status)
	case c.Status != 0:
		a = answer{c.Status, http.Header{"Content-Type": {"text/html"}}, []byte("<html>" + http.StatusText(c.Status) + "</html>")}
	default:
		a = handle()
	}
	if !await(r, c.HoldAnswer) || c.LoseAnswer {
		panic(http.ErrAbortHandler)
	}
	header := w.Header()
	for name, values := range a.header {
		header[name] = values
	}
	if r.Method != http.MethodHead {
		header.Set("Content-Length", strconv.Itoa(len(a.body)))
	}
	w.WriteHeader(a.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(a.body) // the call counts even if the client has gone
	}
}

// await waits until c is closed or has a value. It reports false if the client goes away
// first. It returns at once if c is nil. The request's body must have been read: the server
// does not notice before that that a client has gone.
func await(r *http.Request, c <-chan struct{}) bool {
	if c == nil {
		return true
	}
	select {
	case <-c:
		return true
	case <-r.Context().Done():
		return false
	}
}

// readBody returns the request's body. If the client goes away it ends the request.
func readBody(r *http.Request) []byte {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	return body
}

// faults calls a fault for one call at a time. C is the service's type of call.
type faults[C any] struct {
	mu    sync.Mutex
	fault func(*C)
}

// set makes fault see all later calls; nil sees none.
func (f *faults[C]) set(fault func(*C)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = fault
}

func (f *faults[C]) apply(c *C) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fault != nil {
		f.fault(c)
	}
}
