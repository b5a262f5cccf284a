package connector

import (
	"errors"
	"io"
	"math/rand/v2"
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
	place   *place // of the last change
}

func newSession(s *Server, conn net.Conn) *session {
	return &session{
		server:  s,
		conn:    conn,
		remote:  conn.RemoteAddr().String(),
		line:    newLine(),
		wake:    make(chan struct{}, 1),
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
	s.read()
	s.ended.Store(true)
	s.signal()
	<-done
	s.hangUp()
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
	admitted = s.server.bounds.admit(size)
	arrived := time.Now()
	sl = s.line.join()
	sl.session, sl.arrived, sl.size, sl.place = s, arrived, size, s.server.metrics.places.nowhere
	sl.missing.Store(1)
	sl.holders.Store(2)
	return sl, admitted
}

// joined makes the slot visible to the writer, when all but its verdict is set.
func (s *session) joined(sl *slot) {
	s.line.push(sl)
	s.landed(sl.seq)
}

// settle is for a slot that goes to no destination.
func (s *session) settle(sl *slot, o outcome, verdict error) {
	sl.outcome = o
	s.joined(sl)
	sl.Settle(verdict)
}

var errStopping = errors.New("the connector is stopping")

// refuse enters a message that was skipped before it could be decoded.
func (s *session) refuse(err error) {
	sl, _ := s.enter(0)
	s.settle(sl, malformed, err)
}

// take walks one frame to its destinations.
func (s *session) take(frame xdr.Frame) {
	sl, admitted := s.enter(len(frame))
	if !admitted {
		s.settle(sl, sent, errStopping)
		return
	}
	if s.server.config.DeadLetters != nil {
		sl.message = frame
	}
	bins, err := s.decoder.Metadata(frame, &s.change)
	if err != nil {
		s.settle(sl, malformed, err)
		return
	}
	s.describe(sl, len(frame))
	to := s.server.config.Treatments.Of(s.change.Namespace, s.change.Set)
	switch {
	case s.change.Set == xdr.MonitorSet:
		s.server.metrics.monitors.Inc()
		fallthrough
	case len(to.Destinations) == 0:
		s.settle(sl, skipped, nil)
		return
	}
	encoded, err := s.encode(bins, &to)
	if err != nil {
		s.settle(sl, outcomeOf(err), err)
		return
	}
	s.send(sl, &to, encoded)
}

// describe takes from the change what is counted of it.
func (s *session) describe(sl *slot, size int) {
	if s.change.Namespace != s.place.namespace || s.change.Set != s.place.set {
		s.place = s.server.metrics.places.of(s.change.Namespace, s.change.Set)
	}
	sl.place, sl.lut = s.place, s.change.LUT
	s.server.metrics.arrived(sl, size)
}

func outcomeOf(err error) outcome {
	if fault := (*xdr.Error)(nil); errors.As(err, &fault) {
		return malformed
	}
	return sent
}

// encode returns the change in the format of its treatment. What it returns holds
// until the next call.
func (s *session) encode(bins xdr.Bins, to *Treatment) ([]byte, error) {
	if to.passes() {
		return bins.Plain(), nil
	}
	if err := s.decoder.Bins(bins, &s.change); err != nil {
		return nil, err
	}
	if to.Transform != nil {
		if err := to.Transform.Apply(&s.change); err != nil {
			return nil, err
		}
	}
	encoded, err := to.Format.Append(s.encoded[:0], &s.change)
	s.encoded = encoded
	return encoded, err
}

// send gives the change to its destinations, in the order of its record's
// versions if that is asked for.
func (s *session) send(sl *slot, to *Treatment, encoded []byte) {
	if to.Ordering == nil {
		s.dispatch(sl, to, encoded)
		return
	}
	shard := s.server.order.shard(s.change.Digest)
	shard.Lock()
	defer shard.Unlock()
	if s.server.order.claim(shard, &s.change, sl.arrived) {
		s.dispatch(sl, to, encoded)
		return
	}
	err := errStale
	if to.Ordering.AckStale {
		err = nil
	}
	s.settle(sl, stale, err)
}

var errStale = errors.New("a newer version of the record was sent before")

// dispatch puts the change in the lanes of the destinations that do not have it.
func (s *session) dispatch(sl *slot, to *Treatment, encoded []byte) {
	missing := len(to.Destinations)
	if missing > 1 {
		sl.copies = s.server.repeats.copiesOf(sl, &s.change, missing)
		missing = sl.copies.missing()
	}
	if missing == 0 {
		s.settle(sl, sent, nil)
		return
	}
	sl.missing.Store(int32(missing))
	extra := len(encoded) * missing
	sl.size += extra
	s.server.bounds.grow(extra)
	p := deliver.Parcel{
		Stream: to.Stream, Record: encoded, Partition: s.change.Digest.Partition(),
		Namespace: s.change.Namespace, Set: s.change.Set,
		Deadline: sl.arrived.Add(s.server.config.Budget), To: sl,
	}
	copies := sl.copies
	s.joined(sl)
	for i, d := range to.Destinations {
		if copies != nil {
			if p.To = copies.to(i); p.To == nil {
				continue
			}
		}
		d.Send(p)
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
