package deliver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"golang.org/x/net/http2"
)

// connection is one HTTP/2 connection, or the attempt to have one. A transport would
// open another as soon as more requests come than the server allows at once; here
// those wait for their turn, until they have no time left.
type connection struct {
	cancel  context.CancelFunc // gives up dialling
	dialled chan struct{}      // is closed when the following are there
	conn    *http.ClientConn
	err     error // why there is no connection
}

// dial begins to connect to e.
func (e *endpoint) dial() *connection {
	ctx, cancel := context.WithTimeout(context.Background(), e.config.ConnectTimeout)
	c := &connection{cancel: cancel, dialled: make(chan struct{})}
	go func() {
		defer close(c.dialled)
		defer cancel()
		c.conn, c.err = e.transport.NewClientConn(ctx, e.url.Scheme, net.JoinHostPort(e.url.Hostname(), e.url.Port()))
		if timeout := net.Error(nil); errors.As(c.err, &timeout) && timeout.Timeout() && !atDialling(c.err) {
			err := fmt.Errorf("no connection within %v: %w", e.config.ConnectTimeout, context.DeadlineExceeded)
			c.err = &net.OpError{Op: "dial", Net: "tcp", Err: err}
		}
	}()
	return c
}

// atDialling reports whether err says by itself that no connection could be had.
func atDialling(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// RoundTrip implements http.RoundTripper. It waits for the connection, and then for
// the server to allow one more request.
func (c *connection) RoundTrip(req *http.Request) (*http.Response, error) {
	select {
	case <-c.dialled:
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
	if c.err != nil {
		return nil, c.err
	}
	return c.conn.RoundTrip(req)
}

// broken reports whether the connection has ended, or never came about. One that the
// server wants to end is found out by the next request.
func (c *connection) broken() bool {
	select {
	case <-c.dialled:
		return c.err != nil || c.conn.Err() != nil
	default:
		return false
	}
}

func (c *connection) close() {
	c.cancel()
	<-c.dialled
	if c.conn != nil {
		_ = c.conn.Close() // nothing is under way on it
	}
}

// What net/http says, without a name for it, of a request that it did not send
// because the connection takes no more, and of one that the server, going away, has
// not begun with.
const (
	notUsable = "http2: client conn not usable"
	goneAway  = "http2: Transport received Server's graceful shutdown GOAWAY"
)

// untouched reports whether err means that the server has done nothing with a
// request, and whether that is because its connection takes no more. PROTOCOL_ERROR is
// an answer to more requests at once than the server allows (RFC 9113, 5.1.2), which a
// client learns a moment late; net/http uses the connection no longer.
func untouched(err error) (yes, goingAway bool) {
	var stream http2.StreamError
	switch {
	case err.Error() == notUsable, err.Error() == goneAway:
		return true, true
	case !errors.As(err, &stream):
		return false, false
	case stream.Code == http2.ErrCodeProtocol:
		fromServer := stream.Cause != nil && stream.Cause.Error() == "received from peer"
		return fromServer, fromServer
	}
	return stream.Code == http2.ErrCodeRefusedStream, false
}
