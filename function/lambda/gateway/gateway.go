// Package gateway plays the HTTP fronts of AWS Lambda: API Gateway's HTTP API and REST API, an
// Application Load Balancer, and function URLs. What comes in is an HTTP request; the function
// gets the event that the front would make of it, and what goes out is the HTTP response that
// the front would make of the function's answer. It is the reverse of package lambda, for
// tests and for the command local.
//
//	┌─────────┐   ┌───────┐   ┌──────────┐
//	│ request │──▶│ event │──▶│ function │
//	└─────────┘   └───────┘   └──────────┘
//	     ▲                         │
//	     └─── response ◀── answer ◀┘
//
// A request takes these steps:
//
//  1. [Gateway.ServeHTTP] reads its body, within the limits of the front (front.go).
//  2. [Gateway.Event] makes the event (event.go, template.go). Which bodies become Base64 is
//     for the front to say, not for the sender, and a front that takes bytes for text destroys
//     them, as the real one does.
//  3. The function is invoked. The client may go meanwhile: the invocation goes on.
//  4. [Gateway.Answer] makes the response (answer.go). An answer that is not what the front
//     wants is a 500 or 502, or a 200 where the front shows no failures.
//
// The fronts do what AWS's documentation says
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html,
// https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html,
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html,
// https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html). Nothing here was compared
// with AWS itself. There is no authorization, and a path reaches the event as it was sent.
package gateway

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Function is a function of Lambda: its answer to an event. An error means that the function
// failed, and has no answer.
type Function interface {
	Invoke(ctx context.Context, event []byte) (answer []byte, err error)
}

// Gateway is one front with one function behind it. It may be used by several goroutines at
// once, and must not be changed then.
type Gateway struct {
	Front    Front
	Function Function

	// Stage of an API; empty is $default for an HTTP API, which puts no stage into the path,
	// and prod for a REST API. Load balancers and function URLs have none.
	Stage string

	// BinaryMediaTypes of a REST API: media types such as application/octet-stream, image/*
	// or */*. Any other body is taken for text.
	BinaryMediaTypes []string

	now   func() time.Time // nil is time.Now
	newID func() string    // nil is random
}

// ServeHTTP answers a request as the front does.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l := fronts[g.Front].limits
	if l.header > 0 && headerSize(r) > l.header {
		g.refuse(w, http.StatusRequestHeaderFieldsTooLarge, "Request Header Fields Too Large")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(l.request)))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		g.refuse(w, http.StatusRequestEntityTooLarge, "Request Too Long")
		return
	}
	if err != nil {
		g.refuse(w, http.StatusBadRequest, "Bad Request")
		return
	}
	event, err := g.Event(r, body)
	if err != nil {
		g.refuse(w, http.StatusBadRequest, "Could not parse request body into json")
		return
	}
	if len(event) > maxEvent {
		g.refuse(w, http.StatusRequestEntityTooLarge, "Request Too Long")
		return
	}
	g.invoke(w, r, event, l)
}

// invoke gives an event to the function, and writes the response.
func (g *Gateway) invoke(w http.ResponseWriter, r *http.Request, event []byte, l limits) {
	ctx := context.WithoutCancel(r.Context())
	if l.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, l.timeout)
		defer cancel()
	}
	answer, err := g.Function.Invoke(ctx, event)
	switch {
	case err == nil && len(answer) > l.response:
		err = fmt.Errorf("the answer has %d bytes, more than the limit of %d", len(answer), l.response)
	case err == nil:
		_ = g.Answer(w, answer) // the response says so already
		return
	}
	g.functionError(w, err)
}

// functionError answers a request whose function failed.
func (g *Gateway) functionError(w http.ResponseWriter, err error) {
	if g.Front == RESTCustom { // the error is a result like any other
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(appendJSON(nil, map[string]string{"errorMessage": err.Error()}))
		return
	}
	g.malformed(w)
}

// malformed answers a request whose function failed, or gave an answer that the front does not
// understand.
func (g *Gateway) malformed(w http.ResponseWriter) {
	if g.Front == HTTPAPI1 || g.Front == HTTPAPI2 || g.Front == RESTTemplates {
		g.refuse(w, http.StatusInternalServerError, "Internal Server Error")
		return
	}
	g.refuse(w, http.StatusBadGateway, "Internal server error")
}

// refuse answers a request without the function.
func (g *Gateway) refuse(w http.ResponseWriter, status int, message string) {
	if g.Front == ALB || g.Front == ALBMulti {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, "<html><head><title>%d %s</title></head></html>\n", status, http.StatusText(status))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(appendJSON(nil, map[string]string{"message": message})) // the client may have gone
}

// headerSize returns the size of the request line and the headers in bytes, as HTTP/1.1 has
// them.
func headerSize(r *http.Request) int {
	const line = len(": \r\n")
	n := len(r.Method) + len(r.URL.RequestURI()) + len(r.Proto) + line + len("Host") + len(r.Host) + line
	for name, values := range r.Header {
		for _, value := range values {
			n += len(name) + len(value) + line
		}
	}
	return n
}

// stage returns the stage of an API.
func (g *Gateway) stage() string {
	switch {
	case g.Stage != "":
		return g.Stage
	case g.Front.isRESTAPI():
		return "prod"
	}
	return "$default"
}

// time returns the time of a request.
func (g *Gateway) time() time.Time {
	if g.now != nil {
		return g.now().UTC()
	}
	return time.Now().UTC()
}

// id returns an identifier for a request.
func (g *Gateway) id() string {
	if g.newID != nil {
		return g.newID()
	}
	return strings.ToLower(rand.Text())
}
