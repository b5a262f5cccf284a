package connector

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/deliver"
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

	stopping atomic.Bool

	// of the reading goroutine
	decoder *xdr.Decoder
	change  change.Change
	encoded []byte
}

func newSession(s *Server, conn net.Conn) *session {
	return &session{
		server:  s,
		conn:    conn,
		remote:  conn.RemoteAddr().String(),
		line:    newLine(),
		wake:    make(chan struct{}, 1),
		decoder: xdr.NewDecoder(s.config.MaxMessageBytes, s.config.Now),
	}
}

// run serves the connection to its end.
func (s *session) run() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.reply()
	}()
	s.read()
	s.ended.Store(true)
	s.signal()
	<-done
	s.hangUp()
}

// stop makes the session read no more; what is in flight still gets its reply.
func (s *session) stop() {
	s.stopping.Store(true)
	_ = s.conn.SetReadDeadline(time.Unix(1, 0)) // a connection that is gone needs none
}

// cut ends the session without replies.
func (s *session) cut() {
	s.stop()
	_ = s.conn.Close() // there is nobody left to tell
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

// enter puts a frame of size bytes in flight.
func (s *session) enter(size int) (sl *slot, admitted bool) {
	arrived := time.Now()
	admitted = s.server.bounds.admit(size)
	sl = s.line.join()
	sl.session, sl.arrived, sl.size = s, arrived, size
	sl.missing.Store(1)
	sl.holders.Store(2)
	return sl, admitted
}

// joined makes the slot visible to the writer, when all but its verdict is set.
func (s *session) joined(sl *slot) {
	s.line.push(sl)
	s.landed(sl.seq)
}

var errStopping = errors.New("the connector is stopping")

// refuse enters a message that was skipped before it could be decoded.
func (s *session) refuse(err error) {
	sl, _ := s.enter(0)
	sl.outcome = malformed
	s.joined(sl)
	sl.Settle(err)
}

// take walks one frame to its destinations.
func (s *session) take(frame xdr.Frame) {
	sl, admitted := s.enter(len(frame))
	if !admitted {
		s.joined(sl)
		sl.Settle(errStopping)
		return
	}
	if err := s.decoder.Decode(frame, &s.change); err != nil {
		sl.outcome = malformed
		s.joined(sl)
		sl.Settle(err)
		return
	}
	s.server.metrics.arrived(&s.change, sl.arrived, len(frame))
	to := s.server.config.Treatments.Of(s.change.Namespace, s.change.Set)
	if len(to.Destinations) == 0 || s.change.Set == xdr.MonitorSet {
		sl.outcome = skipped
		s.joined(sl)
		sl.Settle(nil)
		return
	}
	s.send(sl, to)
}

// send encodes the change and gives it to every destination.
func (s *session) send(sl *slot, to Treatment) {
	var err error
	if s.encoded, err = to.Format.Append(s.encoded[:0], &s.change); err != nil {
		s.joined(sl)
		sl.Settle(err)
		return
	}
	sl.missing.Store(int32(len(to.Destinations)))
	extra := len(s.encoded) * len(to.Destinations)
	sl.size += extra
	s.server.bounds.grow(extra)
	s.joined(sl)
	for _, d := range to.Destinations {
		d.Send(deliver.Parcel{
			Stream:    to.Stream,
			Record:    s.encoded,
			Partition: s.change.Digest.Partition(),
			Deadline:  sl.arrived.Add(s.server.config.Budget),
			To:        sl,
		})
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
