package connector

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"

	"github.com/aerosink/aerosink/connector/xdr"
)

// session is one connection of a database node. Its reader reads frames and sends their
// changes to the destinations; its writer writes the replies.
type session struct {
	server *Server
	port   *port
	conn   net.Conn
	in     io.Reader  // reads from conn
	timed  *timedConn // knows when that arrived
	remote string

	queue    *slotQueue
	readDone atomic.Bool   // no more slots are pushed
	waiting  atomic.Uint64 // seq of the slot that the writer waits for
	wake     chan struct{} // of capacity 1: tells the writer to look again
	space    chan struct{} // of capacity 1: tells the reader that slots left the queue

	stopping  atomic.Bool // stop reading
	abandoned atomic.Bool // do not wait for verdicts
}

func newSession(s *Server, conn net.Conn, p *port) *session {
	timed, in := timed(conn)
	timed.heartbeat = s.heartbeat
	return &session{
		server: s,
		port:   p,
		conn:   conn,
		in:     in,
		timed:  timed,
		remote: conn.RemoteAddr().String(),
		queue:  newSlotQueue(),
		wake:   make(chan struct{}, 1),
		space:  make(chan struct{}, 1),
	}
}

// run serves the connection until it ends.
func (s *session) run() {
	if ttl := s.server.config.ConnectionTTL; ttl > 0 {
		defer time.AfterFunc(jitter(ttl), s.retire).Stop()
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		w := writer{s}
		w.run()
	}()
	if s.handshake() {
		newReader(s).run()
	}
	s.readDone.Store(true)
	s.signal()
	<-written
	s.close()
}

// handshakeTimeout is how long a node may take for the TLS handshake.
const handshakeTimeout = 10 * time.Second

// handshake performs the TLS handshake if the connection uses TLS. It reports whether the
// session can go on.
func (s *session) handshake() bool {
	secure, ok := s.conn.(*tls.Conn)
	if !ok {
		return true
	}
	ctx, cancel := context.WithTimeout(context.Background(), handshakeTimeout)
	defer cancel()
	if err := secure.HandshakeContext(ctx); err != nil {
		err = explainHandshake(err)
		s.server.log.warn("closing connection: TLS handshake failed", err, "remote", s.remote, "error", err)
		return false
	}
	return true
}

// explainHandshake adds to an error of a TLS handshake what came instead of one.
func explainHandshake(err error) error {
	var record tls.RecordHeaderError
	if !errors.As(err, &record) {
		return err
	}
	if other := xdr.Guess(record.RecordHeader[:]); other != "" {
		return fmt.Errorf("%w: it is %s", err, other)
	}
	return err
}

// jitter returns d changed by up to a tenth, so that connections that were opened together
// do not end together.
func jitter(d time.Duration) time.Duration {
	return d + time.Duration((rand.Float64()*0.2-0.1)*float64(d)) //nolint:gosec // not used for security
}

// retire ends a session that has reached its TTL. The database then opens another
// connection, which a load balancer may send to another connector.
func (s *session) retire() {
	s.server.metrics.retired.Inc()
	s.stop()
}

// stop makes the session stop reading. Changes in flight still get their replies.
func (s *session) stop() {
	s.stopping.Store(true)
	_ = s.conn.SetReadDeadline(time.Unix(1, 0)) // fails only if the connection is closed already
}

// disconnect ends the session without replies. It still waits for the verdicts on changes in
// flight.
func (s *session) disconnect() {
	s.stop()
	_ = s.conn.Close() // the session ends anyway
}

// abandon ends the session without replies, and without waiting for verdicts.
func (s *session) abandon() {
	s.disconnect()
	s.abandoned.Store(true)
	s.signal()
}

// slotDone tells the writer that a slot has its verdict, if it waits for that slot.
func (s *session) slotDone(seq uint64) {
	if s.waiting.Load() == seq {
		s.signal()
	}
}

// signal tells the writer to look again.
func (s *session) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// close closes the connection so that the last replies arrive. It closes its sending side
// and reads what the node still sends before it closes the rest: closing a connection with
// unread bytes resets it, and replies on the way would be lost.
func (s *session) close() {
	if half, ok := s.conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		const timeout = time.Second
		_ = s.conn.SetReadDeadline(time.Now().Add(timeout)) // if it fails, so does the copy
		_, _ = io.Copy(io.Discard, s.conn)                  // ends when the node closes, or at the deadline
	}
	_ = s.conn.Close() // everything was written
}
