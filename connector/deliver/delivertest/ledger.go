// Package delivertest provides a destination for tests: a [Ledger] receives changes over
// HTTP, records those that it accepts, and injects faults.
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

// Ledger is a destination over HTTP/1.1 and HTTP/2, on one port. It records a change before
// it responds with 200.
type Ledger struct {
	URL string

	server  *httptest.Server
	options Options

	mu       sync.Mutex
	requests int
	protocol map[string]int // requests by protocol
	places   map[Place]int  // accepted changes
	answers  map[int]int    // responses by status
	versions map[xdrtest.Version]int
	newest   map[change.Digest]xdrtest.Version
	counts   Counts
}

// Options configure a Ledger. The zero Options receive JSON and XDR without TLS, and accept
// all changes.
type Options struct {
	// Fault returns the fault of a request, by its number, counted from 1. Nil means
	// no faults.
	Fault func(request int) Fault

	// Parser reads the bodies. The default of its MetadataKey is "metadata".
	Parser formats.Parser

	// TLS, if not nil, enables HTTPS, with HTTP/2.
	TLS *tls.Config

	// Inspect, if not nil, is called with every request that can be read and its
	// changes, by several goroutines at once. The body has already been read.
	Inspect func(r *http.Request, changes []format.Parsed)
}

// New returns a Ledger that serves until the test ends, with the faults of [Options].
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
		l.server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // of handshakes that tests make fail
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

// serve handles a request.
func (l *Ledger) serve(t testing.TB, w http.ResponseWriter, r *http.Request) {
	body, err := read(r)
	if err != nil {
		return // the client cancelled the request
	}
	fault := l.next(r)
	if r.Method != http.MethodPost { // a health check fails like the previous request
		fault.apply(w, r)
		return
	}
	w = &statusRecorder{w, l}
	mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	parsed, err := l.options.Parser.Parse(mediaType, body)
	if err != nil {
		t.Errorf("cannot parse a request: %v", err)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	for _, p := range parsed {
		if p.Err != nil {
			t.Errorf("cannot parse a change: %v", p.Err)
		}
	}
	l.countShipped(len(parsed))
	if l.options.Inspect != nil {
		l.options.Inspect(r, parsed)
	}
	if refused := fault.apply(w, r); refused {
		return
	}
	l.acceptAll(w, parsed, fault)
}

// statusRecorder records the status of a response before it is sent.
type statusRecorder struct {
	http.ResponseWriter
	ledger *Ledger
}

// WriteHeader implements http.ResponseWriter.
func (r *statusRecorder) WriteHeader(status int) {
	r.ledger.mu.Lock()
	r.ledger.answers[status]++
	r.ledger.mu.Unlock()
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap is used by http.ResponseController.
func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// countShipped counts the changes of a request.
func (l *Ledger) countShipped(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts.Shipped += n
	l.counts.Largest = max(l.counts.Largest, n)
}

// read returns the body, decompressed if necessary.
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

// acceptAll accepts the changes and responds with 200; if the fault is Half, it accepts
// every other change and responds with a report.
func (l *Ledger) acceptAll(w http.ResponseWriter, parsed []format.Parsed, fault Fault) {
	rep := report.Report{Changes: len(parsed), Reason: "injected fault"}
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
	_ = json.NewEncoder(w).Encode(rep) // the client may have gone
}

// accept records a change as accepted.
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

// Place is the namespace and set of changes.
type Place struct{ Namespace, Set string }

// Counts are the numbers of requests and changes of a Ledger.
type Counts struct {
	Requests  int
	Shipped   int // changes in all requests, including those that failed
	Accepted  int // changes that were accepted; one that was accepted twice counts twice
	Backwards int // changes that were accepted after a newer version of their record
	Largest   int // changes in the largest request
}

// Counts returns the counts so far.
func (l *Ledger) Counts() Counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.counts
	c.Requests = l.requests
	return c
}

// Protocols returns how many requests used each protocol.
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

// Answers returns how many responses had each status.
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
