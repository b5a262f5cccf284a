package post

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"

	"golang.org/x/net/http2"
)

// connection is one HTTP/2 connection, or an HTTP/1.1 pool, until its TTL ends. The
// endpoint guards its fields.
type connection struct {
	roundTripper
	inFlight int
	expires  time.Time // zero means never
	retired  bool      // takes no more requests
}

// roundTripper is a single connection over HTTP/2, and a pool of them over HTTP/1.1.
type roundTripper interface {
	http.RoundTripper
	isBroken() bool // takes no more requests
	close()         // called when there are no requests
}

// isSpent reports whether c has to be replaced.
func (c *connection) isSpent(now time.Time) bool {
	return !c.expires.IsZero() && now.After(c.expires) || c.isBroken()
}

// http1Pool is the HTTP/1.1 connections of a transport, which itself limits and replaces
// them.
type http1Pool struct{ *http.Transport }

func (http1Pool) isBroken() bool { return false }

// close closes the connections. The transport may take a moment to release the last
// request, so close repeats the call after a second.
func (p http1Pool) close() {
	p.CloseIdleConnections()
	time.AfterFunc(time.Second, p.CloseIdleConnections)
}

// http2Connection is one HTTP/2 connection, or the attempt to open one. An http.Transport
// would open another connection when there are more requests than the server allows at
// once; here they wait until the server allows them or their context ends.
type http2Connection struct {
	cancel context.CancelFunc // stops dialing
	dialed chan struct{}      // closed when conn or err is set
	conn   *http.ClientConn
	err    error // of dialing
}

// RoundTrip implements http.RoundTripper. It waits for the connection, and then until the
// server allows one more request. It sends nothing once the request's context has ended, as
// it has when the process was stopped meanwhile.
func (c *http2Connection) RoundTrip(req *http.Request) (*http.Response, error) {
	select {
	case <-c.dialed:
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
	if c.err != nil {
		return nil, c.err
	}
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	return c.conn.RoundTrip(req)
}

// isBroken reports whether the connection has ended, or could not be opened. If the server
// wants to close it, only the next request notices.
func (c *http2Connection) isBroken() bool {
	select {
	case <-c.dialed:
		return c.err != nil || c.conn.Err() != nil
	default:
		return false
	}
}

func (c *http2Connection) close() {
	c.cancel()
	<-c.dialed
	if c.conn != nil {
		_ = c.conn.Close() // there are no requests
	}
}

// isDialError reports whether err means that no connection could be opened.
func isDialError(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// isNotTLS reports whether err means that the server does not speak TLS.
func isNotTLS(err error) bool {
	var header tls.RecordHeaderError
	return errors.As(err, &header)
}

// noApplicationProtocol is the alert of a TLS server that speaks no protocol that the client
// offers (RFC 7301, 3.2).
const noApplicationProtocol = tls.AlertError(120)

// isNotHTTP2 reports whether err means that the server does not speak HTTP/2.
func isNotHTTP2(err error) bool {
	if errors.Is(err, errNotHTTP2) || strings.HasSuffix(err.Error(), errHTTP1) || err.Error() == errNoSettings {
		return true
	}
	var alert *net.OpError
	return errors.As(err, &alert) && alert.Err.Error() == noApplicationProtocol.Error()
}

// Errors of net/http, which does not export them. errHTTP1: the server speaks HTTP/1.1.
// errNoSettings: the connection ended before the server sent a frame.
// errNotUsable: the request was not sent because the connection takes no more requests.
// errGoAway: the server shuts down, and has not begun to process the request.
const (
	errNoSettings = "http2: client conn could not be established"
	errHTTP1      = "the frame header looked like an HTTP/1.1 header"
	errNotUsable  = "http2: client conn not usable"
	errGoAway     = "http2: Transport received Server's graceful shutdown GOAWAY"
)

// isUnprocessed reports whether err means that the server has not begun to process a
// request, and whether the reason is that its connection is closing. PROTOCOL_ERROR is the
// response to more concurrent requests than the server allows (RFC 9113, 5.1.2); a client
// may learn that limit too late. net/http does not use such a connection again.
func isUnprocessed(err error) (unprocessed, closing bool) {
	var stream http2.StreamError
	switch {
	case err.Error() == errNotUsable, err.Error() == errGoAway:
		return true, true
	case !errors.As(err, &stream):
		return false, false
	case stream.Code == http2.ErrCodeProtocol:
		fromServer := stream.Cause != nil && stream.Cause.Error() == "received from peer"
		return fromServer, fromServer
	}
	return stream.Code == http2.ErrCodeRefusedStream, false
}
