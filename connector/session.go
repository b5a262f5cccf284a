package connector

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/xdr"
)

// session is one connection of a database node. One goroutine reads frames and
// walks them to the destinations, another writes the replies.
type session struct {
	server *Server
	conn   net.Conn
	remote string

	line    *line
	ended   atomic.Bool   // no slot joins any more
	waiting atomic.Uint64 // seq of the slot that the writer waits for
	wake    chan struct{} // has room for one signal: look again
	space   chan struct{} // likewise, of the reading goroutine: slots left the line

	stopping atomic.Bool
	givenUp  atomic.Bool // nobody waits for verdicts any more

	// of the reading goroutine
	decoder *xdr.Decoder
	change  change.Change
	encoded []byte
	place   *place // of the last change
}

func newSession(s *Server, conn net.Conn) *session {
	return &session{
		server:  s,
		conn:    conn,
		remote:  conn.RemoteAddr().String(),
		line:    newLine(),
		wake:    make(chan struct{}, 1),
		space:   make(chan struct{}, 1),
		decoder: xdr.NewDecoder(s.config.MaxMessageBytes, s.config.Now),
		place:   s.metrics.places.nowhere,
	}
}

// run serves the connection to its end.
func (s *session) run() {
	if ttl := s.server.config.ConnectionTTL; ttl > 0 {
		defer time.AfterFunc(jitter(ttl), s.retire).Stop()
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.reply()
	}()
	if s.shakeHands() {
		s.read()
	}
	s.ended.Store(true)
	s.signal()
	<-done
	s.hangUp()
}

// handshakeTimeout is how long a node may take to agree on TLS.
const handshakeTimeout = 10 * time.Second

// shakeHands agrees on TLS where the connection has it, and reports whether there
// is something to be read.
func (s *session) shakeHands() bool {
	secure, ok := s.conn.(*tls.Conn)
	if !ok {
		return true
	}
	ctx, cancel := context.WithTimeout(context.Background(), handshakeTimeout)
	defer cancel()
	if err := secure.HandshakeContext(ctx); err != nil {
		s.server.log.warn("connection closed: no TLS", "remote", s.remote, "error", err)
		return false
	}
	return true
}

// jitter returns d, up to a tenth less or more: connections that were made together
// are not to end together.
func jitter(d time.Duration) time.Duration {
	return d + time.Duration((rand.Float64()*0.2-0.1)*float64(d)) //nolint:gosec // nobody gains by guessing it
}

// retire ends a connection that is old enough, so that the database makes another,
// which a load balancer may give to another connector.
func (s *session) retire() {
	s.server.metrics.retired.Inc()
	s.stop()
}

// stop makes the session read no more; what is in flight still gets its reply.
func (s *session) stop() {
	s.stopping.Store(true)
	_ = s.conn.SetReadDeadline(time.Unix(1, 0)) // a connection that is gone needs none
}

// cut ends the session without replies. What is in flight still gets its verdicts.
func (s *session) cut() {
	s.stop()
	_ = s.conn.Close() // there is nobody left to tell
}

// giveUp ends the session without replies, and without waiting for verdicts.
func (s *session) giveUp() {
	s.cut()
	s.givenUp.Store(true)
	s.signal()
}

// read takes frames until the stream ends, its framing is lost, or the session is
// stopped.
func (s *session) read() {
	r := xdr.NewReader(s.conn, s.server.config.MaxMessageBytes)
	for {
		frame, err := r.Next()
		var fault *xdr.Error
		switch {
		case err == nil:
			s.take(frame)
		case errors.As(err, &fault) && !fault.Framing():
			s.refuse(err)
		default:
			s.readingEnded(err)
			return
		}
		if s.stopping.Load() {
			return
		}
	}
}

func (s *session) readingEnded(err error) {
	var fault *xdr.Error
	switch {
	case errors.Is(err, io.EOF), s.stopping.Load() && errors.Is(err, os.ErrDeadlineExceeded):
	case errors.As(err, &fault):
		s.server.metrics.framingLost.Inc()
		s.server.log.warn("connection closed: this is no XDR", "remote", s.remote, "error", err)
	default:
		s.server.log.info("connection lost", "remote", s.remote, "error", err)
	}
}

// landed tells the writer, if it waits for the slot seq.
func (s *session) landed(seq uint64) {
	if s.waiting.Load() == seq {
		s.signal()
	}
}

func (s *session) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
