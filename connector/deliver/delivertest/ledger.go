// Package delivertest has a destination for tests: a [Ledger] takes changes over
// HTTP, writes down what it has accepted, and fails as it is told to.
package delivertest

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"mime"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
)

// Ledger is a destination over HTTP/1.1 and HTTP/2 in clear text, on one port. A
// change is in it from before its request is answered with 200.
type Ledger struct {
	URL string

	server *httptest.Server
	fault  func(request int) Fault

	mu       sync.Mutex
	requests int
	protocol map[string]int // requests by protocol
	versions map[xdrtest.Version]int
	newest   map[change.Digest]xdrtest.Version
	counts   Counts
}

// Counts is what came to a Ledger.
type Counts struct {
	Requests  int
	Accepted  int // changes whose request, or whose line in a report, said so; those that came twice are counted twice
	Backwards int // changes that came after a newer version of their record
	Largest   int // changes of one request
}

// New returns a Ledger that serves until the test ends. Fault says how the n-th
// request is treated, from 1; nil treats all well.
func New(t testing.TB, fault func(request int) Fault) *Ledger {
	t.Helper()
	l := &Ledger{
		fault: fault, protocol: map[string]int{},
		versions: map[xdrtest.Version]int{}, newest: map[change.Digest]xdrtest.Version{},
	}
	l.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { l.serve(t, w, r) }))
	l.server.Config.Protocols = new(http.Protocols)
	l.server.Config.Protocols.SetHTTP1(true)
	l.server.Config.Protocols.SetUnencryptedHTTP2(true)
	l.server.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) }
	l.server.Start()
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
	mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	parsed, err := format.Parser{MetadataKey: "metadata"}.Parse(mediaType, body)
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
	if refused := fault.apply(w, r); refused {
		return
	}
	l.keep(w, parsed, fault)
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
	if l.fault == nil {
		return None
	}
	return l.fault(n)
}

// keep writes changes down and answers: with a report when the fault is Half, else
// with 200.
func (l *Ledger) keep(w http.ResponseWriter, parsed []format.Parsed, fault Fault) {
	var report struct {
		Changes int    `json:"changes"`
		Retry   []int  `json:"retry"`
		Reason  string `json:"reason"`
	}
	report.Changes, report.Reason = len(parsed), "half of them, as told"
	l.mu.Lock()
	l.counts.Largest = max(l.counts.Largest, len(parsed))
	for i := range parsed {
		if fault == Half && i%2 == 0 {
			report.Retry = append(report.Retry, i)
			continue
		}
		l.accept(xdrtest.VersionOf(&parsed[i].Change))
	}
	l.mu.Unlock()
	if fault != Half {
		return
	}
	w.Header().Set("Content-Type", "application/vnd.aerosink.report+json")
	w.WriteHeader(http.StatusServiceUnavailable)
	_ = json.NewEncoder(w).Encode(report) // a connector that is gone does not need it
}

func (l *Ledger) accept(v xdrtest.Version) {
	l.counts.Accepted++
	l.versions[v]++
	if newest := l.newest[v.Digest]; newest.LUT > v.LUT {
		l.counts.Backwards++
		return
	}
	l.newest[v.Digest] = v
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
	m := map[string]int{}
	for p, n := range l.protocol {
		m[p] = n
	}
	return m
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
	m := map[change.Digest]xdrtest.Version{}
	for d, v := range l.newest {
		m[d] = v
	}
	return m
}
