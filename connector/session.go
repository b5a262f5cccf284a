package connector

import (
	"context"
	"crypto/tls"
	"io"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"
)

// session is one connection of a database node. Its reader takes frames and sends their
// changes to the destinations, its writer replies to them.
type session struct {
	server *Server
	conn   net.Conn
	remote string

	queue    *slotQueue
	readDone atomic.Bool   // no slot is pushed any more
	waiting  atomic.Uint64 // seq of the slot that the writer waits for
	wake     chan struct{} // room for one signal to the writer: look again
	space    chan struct{} // room for one signal to the reader: slots left the queue

	stopping  atomic.Bool // read no more
	abandoned atomic.Bool // nobody waits for verdicts any more
}

func newSession(s *Server, conn net.Conn) *session {
	return &session{
		server: s,
		conn:   conn,
		remote: conn.RemoteAddr().String(),
		queue:  newSlotQueue(),
		wake:   make(chan struct{}, 1),
		space:  make(chan struct{}, 1),
	}
}

// run serves the connection to its end.
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

// handshake makes the TLS handshake if the connection has TLS. It reports whether there is
// something to read.
func (s *session) handshake() bool {
	secure, ok := s.conn.(*tls.Conn)
	if !ok {
		return true
	}
	ctx, cancel := context.WithTimeout(context.Background(), handshakeTimeout)
	defer cancel()
	if err := secure.HandshakeContext(ctx); err != nil {
		s.server.log.warn("closing connection: TLS handshake failed", "remote", s.remote, "error", err)
		return false
	}
	return true
}

// jitter returns d, up to a tenth less or more, so that connections that were opened
// together do not end together.
func jitter(d time.Duration) time.Duration {
	return d + time.Duration((rand.Float64()*0.2-0.1)*float64(d)) //nolint:gosec // nobody gains by guessing it
}

// retire ends a connection that is old enough, so that the database opens another, which a
// load balancer may give to another connector.
func (s *session) retire() {
	s.server.metrics.retired.Inc()
	s.stop()
}

// stop makes the session read no more. What is in flight still gets its reply.
func (s *session) stop() {
	s.stopping.Store(true)
	_ = s.conn.SetReadDeadline(time.Unix(1, 0)) // fails only if the connection is closed already
}

// disconnect ends the session without replies. What is in flight still gets its verdicts.
func (s *session) disconnect() {
	s.stop()
	_ = s.conn.Close() // there is nobody left to tell
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

// close closes the connection so that the last replies arrive: a connection that is closed
// with bytes unread is reset, and loses what is on the way.
func (s *session) close() {
	if half, ok := s.conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		const timeout = time.Second
		_ = s.conn.SetReadDeadline(time.Now().Add(timeout)) // if it fails, so does the copy
		_, _ = io.Copy(io.Discard, s.conn)                  // ends when the node closes, or at the deadline
	}
	_ = s.conn.Close() // everything was written
}
