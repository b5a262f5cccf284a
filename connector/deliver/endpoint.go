package deliver

import (
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// endpoint is one URL of a destination, and the connections to it.
type endpoint struct {
	url    *url.URL
	place  string // the URL as far as it may be shown
	config Config
	tally  *tally
	doubt  chan struct{} // has room for one signal: a request got no answer

	// Of the gate, and guarded by it.
	inFlight int
	most     int // requests in flight
	sick     bool
	resume   time.Time // no request before it; the destination asked for that

	mu    sync.Mutex
	links []*link
}

// link is a transport, and with it its connections, for as long as they are
// young.
type link struct {
	*http.Transport
	inFlight int
	retire   time.Time // when another takes its place; zero is never
	retired  bool
}

func newEndpoint(c Config, u *url.URL, t *tally) *endpoint {
	e := &endpoint{url: u, place: place(u), config: c, tally: t, doubt: make(chan struct{}, 1), most: max(c.Connections, 1)}
	// A transport opens as many HTTP/1.1 connections as it may, and of HTTP/2 one
	// to an endpoint, and another only when the server allows fewer requests at
	// once than come.
	n := 1
	if c.Protocol == HTTP2 {
		n = e.most
		e.most *= max(c.Streams, 1)
	}
	for range n {
		e.links = append(e.links, e.open(time.Now()))
	}
	return e
}

// open returns a link that has no connection yet.
func (e *endpoint) open(now time.Time) *link {
	l := &link{Transport: newTransport(e.config)}
	if ttl := e.config.ConnectionTTL; ttl > 0 {
		jitter := time.Duration(rand.Int64N(int64(ttl)/5 + 1)) //nolint:gosec // it spreads, it does not hide
		l.retire = now.Add(ttl - ttl/10 + jitter)
	}
	return l
}

// take returns the link with the fewest requests, for one more. One that is too
// old makes place for another, and goes when its last request has ended: so no
// request fails of it, and names are looked up again.
func (e *endpoint) take(now time.Time) *link {
	e.mu.Lock()
	defer e.mu.Unlock()
	least := 0
	for i, l := range e.links {
		if l.inFlight < e.links[least].inFlight {
			least = i
		}
	}
	l := e.links[least]
	if !l.retire.IsZero() && now.After(l.retire) {
		l.retired = true
		l.closeIdle()
		l = e.open(now)
		e.links[least] = l
	}
	l.inFlight++
	return l
}

// put gives back what take returned.
func (e *endpoint) put(l *link) {
	e.mu.Lock()
	defer e.mu.Unlock()
	l.inFlight--
	if l.retired {
		l.closeIdle()
	}
}

// closeIdle closes the connections after the last request. The transport may take
// a moment to let go of that, so it is told twice.
func (l *link) closeIdle() {
	if l.inFlight == 0 {
		l.CloseIdleConnections()
		time.AfterFunc(lingering, l.CloseIdleConnections)
	}
}

const lingering = time.Second

// suspect says that a request got no answer.
func (e *endpoint) suspect() {
	select {
	case e.doubt <- struct{}{}:
	default:
	}
}

func (e *endpoint) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, l := range e.links {
		l.CloseIdleConnections()
	}
}

// place is the part of a URL that may be shown: not its user, and not its query,
// where secrets travel.
func place(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
