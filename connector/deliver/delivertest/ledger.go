// Package delivertest has a destination for tests: a [Ledger] takes changes over
// HTTP, writes down what it has accepted, and fails as it is told to.
package delivertest

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"mime"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/aerosink/aerosink/connector/report"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/formats"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
)

// Ledger is a destination over HTTP/1.1 and HTTP/2, on one port. A change is in it
// from before its request is answered with 200.
type Ledger struct {
	URL string

	server  *httptest.Server
	options Options

	mu       sync.Mutex
	requests int
	protocol map[string]int // requests by protocol
	places   map[Place]int  // accepted changes
	answers  map[int]int    // by status
	versions map[xdrtest.Version]int
	newest   map[change.Digest]xdrtest.Version
	counts   Counts
}

// Options are how a Ledger serves. The zero Options take JSON and XDR in clear
// text, and accept all.
type Options struct {
	// Fault says how the n-th request is treated, from 1; nil treats all well.
	Fault func(request int) Fault

	// Parser reads the bodies; where it has no MetadataKey, that is "metadata".
	Parser formats.Parser

	// TLS makes it HTTPS, with HTTP/2 alone.
	TLS *tls.Config

	// Inspect is shown every request that can be read, with what is in it, by
	// several goroutines at once; may be nil. The body is read already.
	Inspect func(r *http.Request, changes []format.Parsed)
}

// New returns a Ledger that serves until the test ends, with faults as in
// [Options].
func New(t testing.TB, fault func(request int) Fault) *Ledger {
	t.Helper()
	return Open(t, Options{Fault: fault})
}

// Open returns a Ledger that serves until the test ends.
func Open(t testing.TB, o Options) *Ledger {
	t.Helper()
	if o.Parser.MetadataKey == "" {
		o.Parser.MetadataKey = "metadata"
	}
	l := &Ledger{
		options: o, protocol: map[string]int{}, places: map[Place]int{}, answers: map[int]int{},
		versions: map[xdrtest.Version]int{}, newest: map[change.Digest]xdrtest.Version{},
	}
	l.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { l.serve(t, w, r) }))
	l.server.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) }
	if o.TLS != nil {
		l.server.TLS, l.server.EnableHTTP2 = o.TLS, true
		l.server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // of handshakes that are meant to fail
		l.server.StartTLS()
	} else {
		l.server.Config.Protocols = new(http.Protocols)
		l.server.Config.Protocols.SetHTTP1(true)
		l.server.Config.Protocols.SetUnencryptedHTTP2(true)
		l.server.Start()
	}
	t.Cleanup(l.server.Close)
	l.URL = l.server.URL
	return l
}

// connKey is the key of a request's connection in its context.
type connKey struct{}

// serve is the handler.
func (l *Ledger) serve(t testing.TB, w http.ResponseWriter, r *http.Request) {
	body, err := read(r)
	if err != nil {
		return // the connector gave the request up
	}
	fault := l.next(r)
	if r.Method != http.MethodPost { // a health check, which fails like the request before it
		fault.apply(w, r)
		return
	}
	w = &answering{w, l}
	mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	parsed, err := l.options.Parser.Parse(mediaType, body)
	if err != nil {
		t.Errorf("a request that cannot be read: %v", err)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	for _, p := range parsed {
		if p.Err != nil {
			t.Errorf("a change that cannot be read: %v", p.Err)
		}
	}
	l.came(len(parsed))
	if l.options.Inspect != nil {
		l.options.Inspect(r, parsed)
	}
	if refused := fault.apply(w, r); refused {
		return
	}
	l.keep(w, parsed, fault)
}

// answering writes down the status of an answer before it is sent.
type answering struct {
	http.ResponseWriter
	ledger *Ledger
}

// WriteHeader implements http.ResponseWriter.
func (a *answering) WriteHeader(status int) {
	a.ledger.mu.Lock()
	a.ledger.answers[status]++
	a.ledger.mu.Unlock()
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (a *answering) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// came counts the changes of a request.
func (l *Ledger) came(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts.Shipped += n
	l.counts.Largest = max(l.counts.Largest, n)
}

// read returns the body, inflated if it is compressed.
func read(r *http.Request) ([]byte, error) {
	if r.Header.Get("Content-Encoding") != "gzip" {
		return io.ReadAll(r.Body)
	}
	z, err := gzip.NewReader(r.Body)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// next counts a request, unless it is a health check, and returns its fault.
func (l *Ledger) next(r *http.Request) Fault {
	l.mu.Lock()
	if r.Method == http.MethodPost {
		l.requests++
		l.protocol[r.Proto]++
	}
	n := l.requests
	l.mu.Unlock()
	if l.options.Fault == nil {
		return None
	}
	return l.options.Fault(n)
}

// keep writes changes down and answers: with a report when the fault is Half, else
// with 200.
func (l *Ledger) keep(w http.ResponseWriter, parsed []format.Parsed, fault Fault) {
	rep := report.Report{Changes: len(parsed), Reason: "half of them, as told"}
	l.mu.Lock()
	for i := range parsed {
		if fault == Half && i%2 == 0 {
			rep.Retry = append(rep.Retry, i)
			continue
		}
		l.accept(&parsed[i].Change)
	}
	l.mu.Unlock()
	if fault != Half {
		w.WriteHeader(http.StatusOK)
		return
	}
	w.Header().Set("Content-Type", report.MediaType)
	w.WriteHeader(http.StatusServiceUnavailable)
	_ = json.NewEncoder(w).Encode(rep) // a connector that is gone does not need it
}

func (l *Ledger) accept(c *change.Change) {
	v := xdrtest.VersionOf(c)
	l.counts.Accepted++
	l.places[Place{c.Namespace, c.Set}]++
	l.versions[v]++
	if newest := l.newest[v.Digest]; newest.LUT > v.LUT {
		l.counts.Backwards++
		return
	}
	l.newest[v.Digest] = v
}

// Place is where changes are from.
type Place struct{ Namespace, Set string }

// Counts is what came to a Ledger.
type Counts struct {
	Requests  int
	Shipped   int // changes of all requests, also of those that failed
	Accepted  int // changes whose request, or whose line in a report, said so; those that came twice are counted twice
	Backwards int // changes that came after a newer version of their record
	Largest   int // changes of one request
}

// Counts returns what came so far.
func (l *Ledger) Counts() Counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.counts
	c.Requests = l.requests
	return c
}

// Protocols returns how many requests came over each protocol.
func (l *Ledger) Protocols() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.protocol)
}

// Places returns how many changes of each namespace and set were accepted.
func (l *Ledger) Places() map[Place]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.places)
}

// Answers returns how many requests were answered with each status.
func (l *Ledger) Answers() map[int]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.answers)
}

// Has reports whether v was accepted.
func (l *Ledger) Has(v xdrtest.Version) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.versions[v] > 0
}

// Newest returns the newest version of each record that was accepted.
func (l *Ledger) Newest() map[change.Digest]xdrtest.Version {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.newest)
}
