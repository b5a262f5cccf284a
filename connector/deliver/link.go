package deliver

import (
	"math/rand/v2"
	"net/http"
	"time"
)

// link is a way to an endpoint for as long as it is young. The endpoint guards it.
type link struct {
	way
	inFlight int
	retire   time.Time // when it is too old; zero is never
	retired  bool
}

// way is a transport with several connections over HTTP/1.1, and a single connection
// over HTTP/2.
type way interface {
	http.RoundTripper
	broken() bool // it takes no requests any more
	close()       // is called when it has no requests
}

// open returns a link that has no request yet.
func (e *endpoint) open(now time.Time) *link {
	l := &link{}
	if e.config.Protocol == HTTP2 {
		l.way = e.dial()
	} else {
		l.way = several{newTransport(e.config)}
	}
	if ttl := e.config.ConnectionTTL; ttl > 0 {
		jitter := time.Duration(rand.Int64N(int64(ttl)/5 + 1)) //nolint:gosec // it spreads, it does not hide
		l.retire = now.Add(ttl - ttl/10 + jitter)
	}
	return l
}

// spent reports whether l is to make place for another.
func (l *link) spent(now time.Time) bool {
	return !l.retire.IsZero() && now.After(l.retire) || l.broken()
}

// several are the HTTP/1.1 connections of a transport, which opens no more than it
// may and replaces them itself.
type several struct{ *http.Transport }

func (several) broken() bool { return false }

// close closes the connections. The transport may take a moment to let go of the last
// request, so it is told twice.
func (s several) close() {
	s.CloseIdleConnections()
	time.AfterFunc(lingering, s.CloseIdleConnections)
}

const lingering = time.Second
