package post

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// Endpoint is one URL of a destination, and the connections to it. It may be used by
// several goroutines at once.
type Endpoint struct {
	url    *url.URL
	name   string // the URL without its secrets
	config Config

	transport *http.Transport // dials HTTP/2 connections; nil over HTTP/1.1

	mu             sync.Mutex
	maxConnections int
	connections    []*connection // without the retired ones
}

// NewEndpoint returns an endpoint without connections.
func NewEndpoint(c Config, u *url.URL) *Endpoint {
	e := &Endpoint{url: u, name: withoutSecrets(u), config: c, maxConnections: 1}
	if c.Protocol == HTTP2 {
		e.transport = e.NewTransport()
		e.maxConnections = max(c.Connections, 1)
	}
	return e
}

// withoutSecrets returns u without user and query, which may be secret.
func withoutSecrets(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// Name returns the endpoint's URL without user and query, which may be secret.
func (e *Endpoint) Name() string { return e.name }

// maxRepeats is how often a request is repeated if the server has not begun to process it.
// Once is usually enough; the next connection may be closing as well.
const maxRepeats = 3

// roundTrip makes a request, and repeats it if the server has not begun to process it.
// The caller must put the connection back after it has read the response.
func (e *Endpoint) roundTrip(req *http.Request) (*http.Response, *connection, error) {
	c := e.take(time.Now())
	for repeats := 0; ; repeats++ {
		resp, err := c.RoundTrip(req)
		if err == nil || repeats == maxRepeats {
			return resp, c, err
		}
		repeatable, closing := isUnprocessed(err)
		if !repeatable {
			return nil, c, err
		}
		if closing {
			c = e.replace(c)
		}
		repeated := *req // the transport may still use the first
		if repeated.Body, err = req.GetBody(); err != nil {
			return nil, c, err
		}
		req = &repeated
	}
}

// take returns the connection with the fewest requests, and counts one more on it. It opens
// a new one if all have requests and another is allowed. A connection that is too old or
// broken is retired: it takes no more requests and is closed after its last one, so that
// its age does not fail a request. Until then there is one more connection than the
// maximum. The host name is resolved again for each new connection.
func (e *Endpoint) take(now time.Time) *connection {
	for {
		e.mu.Lock()
		c := e.leastBusy()
		switch {
		case c == nil, c.inFlight > 0 && len(e.connections) < e.maxConnections:
			c = e.open(now)
			e.connections = append(e.connections, c)
		case c.isSpent(now):
			e.retire(c)
			c.inFlight++ // for put, which closes it unless it has other requests
			e.mu.Unlock()
			e.put(c)
			continue
		}
		c.inFlight++
		e.mu.Unlock()
		return c
	}
}

// leastBusy returns the connection with the fewest requests, nil if there is none.
func (e *Endpoint) leastBusy() *connection {
	var least *connection
	for _, c := range e.connections {
		if least == nil || c.inFlight < least.inFlight {
			least = c
		}
	}
	return least
}

// open returns a new connection.
func (e *Endpoint) open(now time.Time) *connection {
	c := &connection{}
	if e.config.Protocol == HTTP2 {
		c.roundTripper = e.dial()
	} else {
		c.roundTripper = http1Pool{e.NewTransport()}
	}
	if ttl := e.config.ConnectionTTL; ttl > 0 {
		jitter := time.Duration(rand.Int64N(int64(ttl)/5 + 1)) //nolint:gosec // not a secret
		c.expires = now.Add(ttl - ttl/10 + jitter)
	}
	return c
}

// dial starts to open an HTTP/2 connection.
func (e *Endpoint) dial() *http2Connection {
	ctx, cancel := context.WithTimeout(context.Background(), e.config.ConnectTimeout)
	c := &http2Connection{cancel: cancel, dialed: make(chan struct{})}
	go func() {
		defer close(c.dialed)
		defer cancel()
		c.conn, c.err = e.transport.NewClientConn(ctx, e.url.Scheme, net.JoinHostPort(e.url.Hostname(), e.url.Port()))
		if timeout := net.Error(nil); errors.As(c.err, &timeout) && timeout.Timeout() && !isDialError(c.err) {
			err := fmt.Errorf("no connection within %v: %w", e.config.ConnectTimeout, context.DeadlineExceeded)
			c.err = &net.OpError{Op: "dial", Net: "tcp", Err: err}
		}
	}()
	return c
}

// replace puts back a connection on which the server takes no more requests, and returns
// another.
func (e *Endpoint) replace(c *connection) *connection {
	e.mu.Lock()
	if c.retired {
		e.mu.Unlock()
		e.put(c)
		return e.take(time.Now())
	}
	e.retire(c)
	fresh := e.open(time.Now())
	fresh.inFlight++
	e.connections = append(e.connections, fresh)
	e.mu.Unlock()
	e.put(c)
	return fresh
}

// retire removes c from the connections that take requests.
func (e *Endpoint) retire(c *connection) {
	e.connections = slices.DeleteFunc(e.connections, func(other *connection) bool { return other == c })
	c.retired = true
}

// put puts back a connection that take or replace returned.
func (e *Endpoint) put(c *connection) {
	e.mu.Lock()
	c.inFlight--
	last := c.retired && c.inFlight == 0
	e.mu.Unlock()
	if last {
		c.close()
	}
}

// Close closes the connections. There must be no requests in flight.
func (e *Endpoint) Close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.connections {
		c.close()
	}
}
