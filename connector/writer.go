package connector

import (
	"errors"
	"io"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/xdr"
)

// writeTimeout is how long a node may take to read replies before its connection
// is given up.
const writeTimeout = 10 * time.Second

// burst is how many bytes of replies are written at once at most.
const burst = 2000 * xdr.ReplySize

// errBudget is the verdict on a change whose reply is due.
var errBudget = errors.New("no verdict in time")

// reply writes the reply to each frame, in the order in which they came, until
// the session has ended and all are answered. Replies that are ready go out in
// one write.
func (s *session) reply() {
	var out []byte
	for {
		sl := s.line.front()
		switch {
		case sl != nil && s.due(sl):
			out = xdr.AppendReply(out, s.answer(sl))
			s.line.pop()
			if len(out) < burst {
				continue
			}
		case sl == nil && s.ended.Load() && s.line.front() == nil:
			s.write(out)
			return
		case len(out) == 0:
			s.await(sl)
			continue
		}
		s.tellSpace()
		s.write(out)
		out = out[:0]
	}
}

// tellSpace tells the reading goroutine, which may wait for it, that slots left
// the line.
func (s *session) tellSpace() {
	select {
	case s.space <- struct{}{}:
	default:
	}
}

// due reports whether sl has its verdict, or must do without.
func (s *session) due(sl *slot) bool {
	return sl.settled.Load() || s.givenUp.Load() || time.Since(sl.arrived) >= s.server.config.Budget
}

// await waits until sl is due, or, when it is nil, until a slot joins or the
// session ends. It may return early.
func (s *session) await(sl *slot) {
	var budget <-chan time.Time
	s.waiting.Store(s.line.taken.Load() + 1)
	defer s.waiting.Store(0)
	switch {
	case sl == nil && (s.line.front() != nil || s.ended.Load()):
		return
	case sl != nil && s.due(sl):
		return
	case sl != nil:
		timer := time.NewTimer(time.Until(sl.arrived.Add(s.server.config.Budget)))
		defer timer.Stop()
		budget = timer.C
	}
	select {
	case <-s.wake:
	case <-budget:
	}
}

// answer makes a reply of the verdict on sl, counts it and says what is worth
// saying.
func (s *session) answer(sl *slot) xdr.Code {
	if !sl.settled.Load() {
		return s.again(sl, errBudget)
	}
	if err := sl.verdict(); err != nil {
		return s.again(sl, err)
	}
	if sl.dead.Load() {
		s.server.log.warn("change is in the dead letters", "remote", s.remote)
	}
	s.server.metrics.answered(sl, nil)
	return xdr.OK
}

// again asks the database to ship the change again, and says why.
func (s *session) again(sl *slot, err error) xdr.Code {
	s.server.metrics.answered(sl, err)
	advice := ""
	if s.server.config.DeadLetters == nil {
		advice = "; set dead-letters to let it go"
	}
	var fault *xdr.Error
	switch {
	case errors.As(err, &fault) && fault.Fault == xdr.OverLimit:
		s.server.log.warn("message is too large, the database will ship it again; raise service.max-message-bytes", "remote", s.remote, "error", err)
	case fault != nil:
		s.server.log.warn("message cannot be read, the database will ship it again"+advice, "remote", s.remote, "reason", fault.Fault, "offset", fault.Offset, "error", err)
	case change.IsPermanent(err):
		s.server.log.warn("change cannot be delivered, the database will ship it again"+advice, "remote", s.remote, "error", err)
	default:
		s.server.log.warn("change not delivered, the database will ship it again", "remote", s.remote, "error", err)
	}
	return xdr.Retry
}

// write sends replies. When it cannot, the session ends: what was in flight is
// shipped again on another connection.
func (s *session) write(out []byte) {
	if len(out) == 0 || s.givenUp.Load() {
		return
	}
	_ = s.conn.SetWriteDeadline(time.Now().Add(writeTimeout)) // the write says what is wrong
	if _, err := s.conn.Write(out); err != nil {
		s.server.log.info("connection lost", "remote", s.remote, "error", err)
		s.cut()
	}
}

// hangUp closes the connection so that the last replies arrive: a connection that
// is closed with bytes unread is reset, and loses what is on the way.
func (s *session) hangUp() {
	if half, ok := s.conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		const patience = time.Second
		_ = s.conn.SetReadDeadline(time.Now().Add(patience)) // the copy says what is wrong
		_, _ = io.Copy(io.Discard, s.conn)                   // ends with the peer's goodbye or the deadline
	}
	_ = s.conn.Close() // all was written
}
