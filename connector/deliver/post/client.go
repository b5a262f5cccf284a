// Package post makes HTTP POST requests to the endpoints of a destination: it sends a body
// and returns a [Response]. It does not know about lanes, batches or verdicts.
//
// A request takes these steps:
//
//  1. [Client.Post] makes the headers (header.go), compresses the body (gzip.go) and
//     authorizes the request; after a 401 it tries once more with a new token.
//  2. [Endpoint.roundTrip] takes the connection with the fewest requests, replaces those
//     that are too old or broken, and repeats a request that the server has not begun to
//     process.
//  3. The connection (connection.go) makes the request over HTTP/1.1 or HTTP/2.
//  4. Client.send reads the response and interprets it (response.go).
package post

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// ErrClosed is the error of a request that fails because the client's context has ended.
var ErrClosed = errors.New("shutting down")

// Client makes the requests of one destination. It may be used by several goroutines at
// once.
type Client struct {
	config  Config
	metrics Metrics
	ctx     context.Context // of every request
}

// Metrics are the metrics of a client. None may be nil.
type Metrics struct {
	Changes          prometheus.Histogram   // in a request
	Bytes            prometheus.Histogram   // of a request's body as sent
	Responses        *prometheus.CounterVec // by status
	Reauthorizations prometheus.Counter     // requests repeated with a new token
}

// NewClient returns a client whose requests are cancelled with ctx.
func NewClient(ctx context.Context, c Config, m Metrics) *Client {
	return &Client{config: c, metrics: m, ctx: ctx}
}

// Request is the body of a request, and the facts that its headers may contain.
type Request struct {
	Body      []byte
	MediaType string
	Changes   int
	Format    string // name of the changes' format

	// Namespace and Set of all changes; "" if they have several, or no set. They are
	// only used if a header of the config contains them: see TellsOrigin.
	Namespace, Set string

	Digest []byte // of the change's record; nil if unknown, or if there are several changes

	Header   http.Header // added to the request's; may be nil
	Deadline time.Time

	// Compressed is memory for the compressed body. Post replaces it when it needs more.
	Compressed []byte
}

// Post sends r to e. It does not retain the memory of r.
func (c *Client) Post(e *Endpoint, r *Request) *Response {
	ctx, cancel := context.WithDeadline(c.ctx, r.Deadline)
	defer cancel()
	header, err := c.config.header(r)
	if err != nil {
		return &Response{Err: err}
	}
	content := r.Body
	header.Set("Content-Type", c.config.contentType(r.MediaType))
	if c.config.Gzip && len(content) > c.config.GzipThreshold {
		if compressed, ok := compress(r.Compressed, content); ok {
			r.Compressed, content = compressed, compressed
			header.Set("Content-Encoding", "gzip")
		}
	}
	c.metrics.Changes.Observe(float64(r.Changes))
	c.metrics.Bytes.Observe(float64(len(content)))
	if c.config.Auth != nil {
		return c.sendAuthorized(ctx, e, header, content, r.Changes)
	}
	return c.send(ctx, e, header, content, r.Changes)
}

// sendAuthorized sends content with an Authorization header. If the response is 401 and
// there is a new authorization, it sends content once more.
func (c *Client) sendAuthorized(ctx context.Context, e *Endpoint, header http.Header, content []byte, n int) *Response {
	value, err := c.config.Auth.Authorization(ctx)
	if err != nil {
		return &Response{Err: fmt.Errorf("authorize: %w", err)}
	}
	header.Set("Authorization", value)
	resp := c.send(ctx, e, header, content, n)
	if resp.Status != http.StatusUnauthorized {
		return resp
	}
	c.config.Auth.Rejected(value)
	fresh, err := c.config.Auth.Authorization(ctx)
	if err != nil || fresh == value {
		return resp
	}
	c.metrics.Reauthorizations.Inc()
	header = header.Clone() // the transport may still use the first
	header.Set("Authorization", fresh)
	return c.send(ctx, e, header, content, n)
}

// send makes one POST of content, which holds n changes.
func (c *Client) send(ctx context.Context, e *Endpoint, header http.Header, content []byte, n int) *Response {
	body := &body{data: content}
	defer body.revoke()
	req := (&http.Request{
		Method: http.MethodPost, URL: e.url, Host: e.url.Host, Header: header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		ContentLength: int64(len(content)), GetBody: body.open,
	}).WithContext(ctx)
	req.Body, _ = body.open()
	resp, conn, err := e.roundTrip(req)
	defer e.put(conn)
	if err != nil {
		return noResponse(fmt.Errorf("POST %s: %w", e.name, c.explain(err)), err)
	}
	defer resp.Body.Close()
	c.countResponse(resp.StatusCode)
	success := c.config.isSuccess(resp.StatusCode)
	text, err := readBody(resp.Body, success)
	if err != nil {
		return noResponse(fmt.Errorf("POST %s: status %d, read response: %w", e.name, resp.StatusCode, c.explain(err)), err)
	}
	if success {
		return &Response{Status: resp.StatusCode}
	}
	r := failure(resp, text, n, time.Now())
	r.Err = fmt.Errorf("POST %s: status %d %s%s", e.name, resp.StatusCode, http.StatusText(resp.StatusCode), redirect(resp))
	return r
}

// countResponse counts a response. A status without a name counts as "other", so that a
// destination cannot create any number of time series.
func (c *Client) countResponse(status int) {
	label := "other"
	if http.StatusText(status) != "" {
		label = strconv.Itoa(status)
	}
	c.metrics.Responses.WithLabelValues(label).Inc()
}

// explain returns ErrClosed if the client's context has ended. Otherwise it makes an error of
// the transport clearer, or adds advice to it.
func (c *Client) explain(err error) error {
	switch {
	case c.ctx.Err() != nil:
		return ErrClosed
	case isDialError(err):
		return err
	case errors.Is(err, context.DeadlineExceeded):
		return errors.New("no response in time")
	case isNotTLS(err):
		return fmt.Errorf("%w (the server does not speak TLS on this port; if that is intended, use an http URL)", err)
	case isNotHTTP2(err):
		return fmt.Errorf("%w (protocol is HTTP_2; if the server does not speak it, set HTTP_1_1)", err)
	}
	return err
}
