package deliver

import (
	"net/http"
	"net/url"
	"slices"
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
	ailment  error     // of the last check that found it sick
	resume   time.Time // no request before it; the destination asked for that

	transport *http.Transport // dials HTTP/2 connections; nil over HTTP/1.1

	mu    sync.Mutex
	width int     // links at most
	links []*link // that take requests
}

func newEndpoint(c Config, u *url.URL, t *tally) *endpoint {
	e := &endpoint{url: u, place: place(u), config: c, tally: t, doubt: make(chan struct{}, 1), most: max(c.Connections, 1), width: 1}
	if c.Protocol == HTTP2 {
		e.transport = newTransport(c)
		e.width = e.most
		e.most *= max(c.Streams, 1)
	}
	return e
}

// repeats is how often a request is made again that the server has not begun with.
// Once is enough, unless the next connection ends as well.
const repeats = 3

// roundTrip makes a request, and again when the server has done nothing with it. The
// caller gives back the link when it has read the answer.
func (e *endpoint) roundTrip(req *http.Request) (*http.Response, *link, error) {
	l := e.take(time.Now())
	for again := 0; ; again++ {
		resp, err := l.RoundTrip(req)
		if err == nil || again == repeats {
			return resp, l, err
		}
		yes, goingAway := untouched(err)
		if !yes {
			return nil, l, err
		}
		if goingAway {
			l = e.replace(l)
		}
		repeated := *req // the transport may hold on to the first
		if repeated.Body, err = req.GetBody(); err != nil {
			return nil, l, err
		}
		req = &repeated
	}
}

// take returns the link with the fewest requests, for one more: a new one where all
// have some and another is allowed. One that is too old or broken takes no more
// requests, and is closed after its last: so no request fails of age, and names are
// looked up again. For as long as that takes, there is one more connection.
func (e *endpoint) take(now time.Time) *link {
	for {
		e.mu.Lock()
		l := e.idlest()
		switch {
		case l == nil, l.inFlight > 0 && len(e.links) < e.width:
			l = e.open(now)
			e.links = append(e.links, l)
		case l.spent(now):
			e.retire(l)
			l.inFlight++ // for put, which closes it unless it has others
			e.mu.Unlock()
			e.put(l)
			continue
		}
		l.inFlight++
		e.mu.Unlock()
		return l
	}
}

// replace gives back a link on which the server begins with no more requests, and
// returns another.
func (e *endpoint) replace(l *link) *link {
	e.mu.Lock()
	if l.retired {
		e.mu.Unlock()
		e.put(l)
		return e.take(time.Now())
	}
	e.retire(l)
	fresh := e.open(time.Now())
	fresh.inFlight++
	e.links = append(e.links, fresh)
	e.mu.Unlock()
	e.put(l)
	return fresh
}

// put gives back what take or replace returned.
func (e *endpoint) put(l *link) {
	e.mu.Lock()
	l.inFlight--
	last := l.retired && l.inFlight == 0
	e.mu.Unlock()
	if last {
		l.close()
	}
}

// idlest returns the link with the fewest requests, or nil when there is none.
func (e *endpoint) idlest() *link {
	var least *link
	for _, l := range e.links {
		if least == nil || l.inFlight < least.inFlight {
			least = l
		}
	}
	return least
}

// retire lets l take no more requests.
func (e *endpoint) retire(l *link) {
	e.links = slices.DeleteFunc(e.links, func(other *link) bool { return other == l })
	l.retired = true
}

// suspect says that a request got no answer.
func (e *endpoint) suspect() {
	select {
	case e.doubt <- struct{}{}:
	default:
	}
}

// close closes the connections, on which there are no requests any more.
func (e *endpoint) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, l := range e.links {
		l.close()
	}
}

// place is the part of a URL that may be shown: not its user, and not its query,
// where secrets travel.
func place(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
