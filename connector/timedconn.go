package connector

import (
	"crypto/tls"
	"io"
	"net"
	"time"
)

// timedConn is the connection of a session, which knows when the bytes arrived that it
// returned. They may have waited in the system's buffer: while the reader waited at the limit
// of changes in flight, or while the process was paused. The database gives a change up when
// it has no reply in time, and ships it again, or a newer version, over another connection;
// so a change that has waited for too long must not be sent.
type timedConn struct {
	net.Conn
	unread    func() int // bytes in the system's buffer
	heartbeat *heartbeat

	ended   time.Time // when the last Read ended
	arrived time.Time // when the last byte returned arrived, or when it may have at the earliest
	marks   []mark
	marked  int // bytes of all marks
}

// mark says that the next bytes of a connection may have waited.
type mark struct {
	bytes int
	since time.Time
}

// minGap is the shortest time between two Reads after which bytes are marked.
const minGap = 100 * time.Millisecond

func newTimedConn(conn net.Conn) *timedConn {
	now := time.Now()
	return &timedConn{Conn: conn, unread: unreadOf(conn), ended: now, arrived: now}
}

// Read implements io.Reader.
func (c *timedConn) Read(p []byte) (int, error) {
	begun := time.Now()
	if begun.Sub(c.ended) >= minGap {
		c.mark(c.unread(), c.ended)
	}
	n, err := c.Conn.Read(p)
	c.ended = time.Now()
	if n == 0 {
		return 0, err
	}
	if since, ok := c.heartbeat.pausedIn(begun, c.ended); ok {
		c.mark(n+c.unread(), since)
	}
	c.arrived = c.take(n)
	return n, err
}

// mark marks the next n bytes, unless they are marked already.
func (c *timedConn) mark(n int, since time.Time) {
	if n > c.marked {
		c.marks = append(c.marks, mark{n - c.marked, since})
		c.marked = n
	}
}

// take removes n bytes from the marks, and returns when the last of them arrived.
func (c *timedConn) take(n int) time.Time {
	arrived := c.ended
	for n > 0 && len(c.marks) > 0 {
		first := &c.marks[0]
		taken := min(n, first.bytes)
		arrived, n = first.since, n-taken
		c.marked -= taken
		if first.bytes -= taken; first.bytes == 0 {
			c.marks = c.marks[1:]
		}
	}
	if n > 0 {
		return c.ended
	}
	return arrived
}

// timed returns the timedConn of a connection, and what to read from: TLS, or the timedConn.
func timed(conn net.Conn) (*timedConn, io.Reader) {
	if secure, ok := conn.(*tls.Conn); ok {
		if c, ok := secure.NetConn().(*timedConn); ok {
			return c, secure
		}
	}
	c := newTimedConn(conn)
	return c, c
}

// NewTLSListener returns a listener for [Server.Serve] that accepts TLS connections on l.
func NewTLSListener(l net.Listener, c *tls.Config) net.Listener {
	return tls.NewListener(timedListener{l}, c)
}

// timedListener accepts connections below TLS, which reads ahead.
type timedListener struct{ net.Listener }

// Accept implements [net.Listener].
func (l timedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return newTimedConn(conn), nil
}
