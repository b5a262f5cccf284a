package xdrtest

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/xdr"
)

// read takes replies until the connection ends or brings what is no reply.
func (l *link) read(conn net.Conn) {
	defer func() { _ = conn.Close() }() // what has no reply is shipped again
	for replies := xdr.NewReader(conn, xdr.MaxSize); ; {
		f, err := replies.Next()
		if err != nil {
			return
		}
		code, err := xdr.ParseReply(f)
		if err != nil {
			return
		}
		r, err := l.settle(code)
		if err != nil {
			return
		}
		if l.source.Answered != nil {
			l.source.Answered(r)
		}
		l.signal()
	}
}

var errSurplus = errors.New("a reply to nothing")

// settle gives the reply to the oldest request in flight.
func (l *link) settle(code xdr.Code) (Reply, error) {
	s := l.source
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(l.inFlight) == 0 {
		return Reply{}, errSurplus
	}
	sh := l.inFlight[0]
	l.inFlight = l.inFlight[1:]
	l.answered = true
	delete(l.busy, sh.digest)
	switch {
	case sh.once:
		s.stats.Injected++
		s.done()
	case code.Done():
		s.stats.Success++
		s.shared(sh.item)
		s.done()
	case code.Retry():
		s.stats.RetryDest++
		sh.after = time.Now().Add(s.retryAfter())
		l.again(sh.item)
	default:
		s.abandon(fmt.Errorf("record %s: a change was abandoned, reply with code %d", sh.digest, code))
		s.done()
	}
	return Reply{sh.version, code, time.Since(sh.sent)}, nil
}

// shared notes that a connector has the version that was shipped, and may ship
// more out of mischief.
func (s *Source) shared(i item) {
	r := s.records[i.digest]
	if i.frame != nil || r == nil {
		return
	}
	r.shared = max(r.shared, i.version.LUT)
	if i.version.Op == change.Delete && i.version.LUT == r.now.LUT {
		r.gone = true
	}
	s.mischief(r)
}

// abandon counts a change that is dropped for good.
func (s *Source) abandon(why error) {
	s.stats.Abandoned++
	if s.abandoned == nil {
		s.abandoned = why
	}
}

// done takes a change off the books.
func (s *Source) done() {
	if s.pending--; s.pending == 0 {
		s.changed.Broadcast()
	}
}
