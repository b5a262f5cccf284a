package connector

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/deliver/post"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/deliver"
	jsonformat "github.com/aerosink/aerosink/connector/format/json"
	"github.com/aerosink/aerosink/connector/route"
	"github.com/aerosink/aerosink/connector/xdr"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
)

// rig is a running connector. The test ships frames to it.
type rig struct {
	address  string
	server   *Server
	registry *prometheus.Registry
	log      *changetest.Output
	stop     func()
	stopped  chan error
}

// start starts a connector. adjust may change its configuration; it may be nil.
func start(t *testing.T, pipelines route.Levels[Pipeline], adjust func(*Config)) *rig {
	t.Helper()
	r := &rig{registry: prometheus.NewRegistry(), log: new(changetest.Output), stopped: make(chan error, 1)}
	c := Config{
		Pipelines: pipelines, MaxRecords: 1000, MaxBytes: 1 << 20, MaxMessageBytes: 1 << 20, DrainTimeout: 10 * time.Second,
		Metrics: NewMetrics(r.registry, "test"), Logger: slog.New(slog.NewJSONHandler(r.log, nil)),
	}
	if adjust != nil {
		adjust(&c)
	}
	r.server = New(c)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.address = l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	go func() { r.stopped <- r.server.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		r.server.running.Wait()
	})
	return r
}

// node is a connection to the connector on which the test acts as a database node.
type node struct {
	net.Conn
	replies *xdr.Reader
}

func (r *rig) dial(t *testing.T) *node {
	t.Helper()
	conn, err := net.Dial("tcp", r.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return &node{conn, xdr.NewReader(conn, 0)}
}

func (n *node) ship(t *testing.T, frames ...[]byte) {
	t.Helper()
	if _, err := n.Write(bytes.Join(frames, nil)); err != nil {
		t.Fatal(err)
	}
}

func (n *node) wantReplies(t *testing.T, want ...xdr.Code) {
	t.Helper()
	var got []xdr.Code
	for range want {
		f, err := n.replies.Next()
		if err != nil {
			t.Fatalf("after replies %v: %v", got, err)
		}
		code, err := xdr.ParseReply(f)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, code)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("replies (-want +got):\n%s", diff)
	}
}

func (n *node) wantEnd(t *testing.T) {
	t.Helper()
	if f, err := n.replies.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("%x, %v, want the end of the connection", f, err)
	}
}

// write returns the frame of a write of record i. Records have different partitions.
func write(t testing.TB, set string, i int) []byte {
	t.Helper()
	c := change.Change{
		Namespace: "test", Set: set, Digest: change.Digest{byte(i), byte(i >> 8)}, Mode: change.Replace, Generation: 1,
		LUT: changetest.Receipt.UnixMilli(), Bins: []change.Bin{{Name: "i", Value: change.IntegerValue(int64(i))}},
	}
	f, err := xdr.AppendMessage(nil, &c, changetest.Receipt)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// endpoint is the HTTP server of a destination. It holds each request until the test gives
// the status for the value of its bin i.
type endpoint struct {
	*httptest.Server
	mu      sync.Mutex
	answers map[int64]chan int
	bodies  []string
}

func newEndpoint(t *testing.T) *endpoint {
	e := &endpoint{answers: map[int64]chan int{}}
	e.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		e.mu.Lock()
		e.bodies = append(e.bodies, string(body))
		e.mu.Unlock()
		var c struct{ Bins []struct{ Value int64 } }
		if err := json.Unmarshal(body, &c); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		select {
		case status := <-e.answer(c.Bins[0].Value):
			w.WriteHeader(status)
		case <-r.Context().Done():
		}
	}))
	e.Config.Protocols = new(http.Protocols)
	e.Config.Protocols.SetUnencryptedHTTP2(true)
	e.Start()
	t.Cleanup(e.Close)
	return e
}

func (e *endpoint) answer(i int64) chan int {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.answers[i] == nil {
		e.answers[i] = make(chan int, 100)
	}
	return e.answers[i]
}

func (e *endpoint) respond(i int64, status int) { e.answer(i) <- status }

func (e *endpoint) destination(t *testing.T, name string) *deliver.Destination {
	t.Helper()
	u, err := url.Parse(e.URL)
	if err != nil {
		t.Fatal(err)
	}
	d := deliver.New(deliver.Config{
		Name: name, URLs: []*url.URL{u}, Config: post.Config{Connections: 1, Streams: 100, ConnectTimeout: time.Minute},
		Queue: 10000, CallTimeout: time.Minute,
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		d.Close(ctx)
	})
	return d
}

// pipelineTo returns a pipeline that sends each change as JSON in a request of its own.
func pipelineTo(destinations ...*deliver.Destination) Pipeline {
	f := jsonformat.Format{StringifyMapKeys: true}
	return Pipeline{Format: f, Stream: &deliver.Stream{Envelope: f, MaxRecords: 1, MaxBytes: 1 << 20}, Destinations: destinations}
}

// allSets returns levels at which every set has the pipeline p.
func allSets(p Pipeline) route.Levels[Pipeline] { return route.Levels[Pipeline]{Root: p} }

func TestSession_replyOrder(t *testing.T) {
	e := newEndpoint(t)
	n := start(t, allSets(pipelineTo(e.destination(t, "there"))), nil).dial(t)
	n.ship(t, write(t, "s", 1), write(t, "s", 2), write(t, "s", 3), write(t, "s", 4))
	e.respond(3, 200)
	e.respond(2, 503)
	e.respond(4, 200)
	e.respond(1, 200)
	n.wantReplies(t, xdr.OK, xdr.Retry, xdr.OK, xdr.OK)
}

func TestServer_verdicts(t *testing.T) {
	e, other := newEndpoint(t), newEndpoint(t)
	pipelines := route.Levels[Pipeline]{
		Root: pipelineTo(e.destination(t, "there")),
		Namespaces: map[string]route.Namespace[Pipeline]{"test": {
			Value: pipelineTo(e.destination(t, "there")),
			Sets:  map[string]Pipeline{"both": pipelineTo(e.destination(t, "there"), other.destination(t, "other")), "none": {}},
		}},
	}
	r := start(t, pipelines, nil)
	n := r.dial(t)

	t.Run("one destination", func(t *testing.T) {
		for i, tt := range []struct {
			status int
			want   xdr.Code
		}{{200, xdr.OK}, {204, xdr.OK}, {503, xdr.Retry}, {429, xdr.Retry}, {400, xdr.Retry}, {401, xdr.Retry}} {
			n.ship(t, write(t, "s", 100+i))
			e.respond(int64(100+i), tt.status)
			n.wantReplies(t, tt.want)
		}
	})
	t.Run("two destinations", func(t *testing.T) {
		for i, tt := range []struct {
			one, two int
			want     xdr.Code
		}{{200, 200, xdr.OK}, {200, 503, xdr.Retry}, {503, 200, xdr.Retry}, {400, 503, xdr.Retry}, {400, 400, xdr.Retry}} {
			n.ship(t, write(t, "both", 200+i))
			e.respond(int64(200+i), tt.one)
			other.respond(int64(200+i), tt.two)
			n.wantReplies(t, tt.want)
		}
	})
	t.Run("no destination", func(t *testing.T) {
		n.ship(t, write(t, "none", 1), write(t, xdr.MonitorSet, 1))
		n.wantReplies(t, xdr.OK, xdr.OK)
	})
	const want = `
		# HELP aerospike_esp_outbound_requests Change notifications answered, by status.
		# TYPE aerospike_esp_outbound_requests counter
		aerospike_esp_outbound_requests{cluster_name="test",status="error"} 8
		aerospike_esp_outbound_requests{cluster_name="test",status="parse-error"} 0
		aerospike_esp_outbound_requests{cluster_name="test",status="skipped"} 2
		aerospike_esp_outbound_requests{cluster_name="test",status="success"} 3
	`
	if err := testutil.GatherAndCompare(r.registry, strings.NewReader(want), "aerospike_esp_outbound_requests"); err != nil {
		t.Error(err)
	}
}

func TestSlot_worstVerdict(t *testing.T) {
	never, again := change.Permanent(errors.New("never")), errors.New("again")
	for _, tt := range []struct {
		verdicts []error
		want     error
	}{
		{[]error{nil, nil}, nil},
		{[]error{nil, again}, again},
		{[]error{never, nil}, never},
		{[]error{never, again}, again},
		{[]error{again, never}, again},
		{[]error{again, errors.New("another")}, again},
	} {
		ss := &session{server: &Server{inFlight: newInFlight(1, 1)}, wake: make(chan struct{}, 1)}
		sl := &slot{session: ss}
		sl.missing.Store(int32(len(tt.verdicts)))
		for _, v := range tt.verdicts {
			sl.Done(v)
		}
		if got := sl.verdict(); !errors.Is(got, tt.want) || !sl.done.Load() {
			t.Errorf("%v: %v, want %v", tt.verdicts, got, tt.want)
		}
	}
}

// A malformed message gets a retry, and the session goes on.
func TestSession_malformedMessages(t *testing.T) {
	e := newEndpoint(t)
	r := start(t, allSets(pipelineTo(e.destination(t, "there"))), func(c *Config) { c.MaxMessageBytes = 1000 })
	n := r.dial(t)
	bad := write(t, "s", 1)
	bad[8] = 99 // the size of the message header
	large := append([]byte{2, 3, 0, 0, 0, 0, 0x10, 0}, make([]byte, 4096)...)
	n.ship(t, write(t, "s", 1), bad, large, write(t, "s", 2))
	e.respond(1, 200)
	e.respond(2, 200)
	n.wantReplies(t, xdr.OK, xdr.Retry, xdr.Retry, xdr.OK)
	log := r.log.String()
	for _, want := range []string{`"reason":"bad-header-size"`, `"offset":8`, "malformed message"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not say %s:\n%s", want, log)
		}
	}
	if got := testutil.ToFloat64(r.server.metrics.requests[resultMalformed]); got != 2 {
		t.Errorf("%v parse errors counted, want 2", got)
	}
}

// A change that its format cannot express gets a retry.
func TestSession_formatError(t *testing.T) {
	e := newEndpoint(t)
	p := pipelineTo(e.destination(t, "there"))
	p.Format = jsonformat.Flat{MetadataKey: "i"} // like the bin
	r := start(t, allSets(p), nil)
	n := r.dial(t)
	n.ship(t, write(t, "s", 1))
	n.wantReplies(t, xdr.Retry)
	if log := r.log.String(); !strings.Contains(log, "has the name of the metadata") {
		t.Errorf("the log does not say why:\n%s", log)
	}
}

func TestSession_lostFraming(t *testing.T) {
	e := newEndpoint(t)
	r := start(t, allSets(pipelineTo(e.destination(t, "there"))), nil)
	n := r.dial(t)
	n.ship(t, write(t, "s", 1), []byte("GET / HTTP/1.1\r\n\r\n"))
	e.respond(1, 200)
	n.wantReplies(t, xdr.OK) // changes before the error are still answered
	n.wantEnd(t)
	if log := r.log.String(); !strings.Contains(log, "not an XDR stream") || !strings.Contains(log, "an HTTP request, not XDR") {
		t.Errorf("the log does not say why:\n%s", log)
	}
}

// A TLS handshake on a port for clear text is called that.
func TestSession_unexpectedTLS(t *testing.T) {
	r := start(t, allSets(Pipeline{}), nil)
	if conn, err := tls.Dial("tcp", r.address, &tls.Config{InsecureSkipVerify: true}); err == nil {
		conn.Close()
		t.Error("the handshake succeeded")
	}
	r.log.Find(t, "not an XDR stream.*a TLS handshake, not XDR")
}

// A change without a verdict gets a retry after the budget. It does not hold up those
// behind it.
func TestSession_budget(t *testing.T) {
	e := newEndpoint(t)
	r := start(t, allSets(pipelineTo(e.destination(t, "there"))), func(c *Config) { c.Budget = 100 * time.Millisecond })
	n := r.dial(t)
	begin := time.Now()
	n.ship(t, write(t, "s", 1), write(t, "s", 2))
	e.respond(2, 200)
	n.wantReplies(t, xdr.Retry, xdr.OK)
	if took := time.Since(begin); took < 100*time.Millisecond {
		t.Errorf("answered after %v, before the budget was used up", took)
	}
	n.ship(t, write(t, "s", 3))
	e.respond(3, 200)
	n.wantReplies(t, xdr.OK)
}

// Sessions stop reading at the limit of changes in flight, and go on below it.
func TestServer_backPressure(t *testing.T) {
	e := newEndpoint(t)
	r := start(t, allSets(pipelineTo(e.destination(t, "there"))), func(c *Config) { c.MaxRecords = 3 })
	one, two := r.dial(t), r.dial(t)
	one.ship(t, write(t, "s", 1), write(t, "s", 2), write(t, "s", 3), write(t, "s", 4))
	changetest.WaitFor(t, "three changes in flight", func() bool { records, _ := r.server.inFlight.now(); return records == 3 })
	two.ship(t, write(t, "s", 5))
	changetest.WaitFor(t, "two waiting sessions", func() bool { return r.server.inFlight.waiting.Load() == 2 })
	for i := range 5 {
		e.respond(int64(i+1), 200)
	}
	one.wantReplies(t, xdr.OK, xdr.OK, xdr.OK, xdr.OK)
	two.wantReplies(t, xdr.OK)
	changetest.WaitFor(t, "nothing in flight", func() bool {
		records, bytes := r.server.inFlight.now()
		return records == 0 && bytes == 0
	})
}

func TestInFlight_admit(t *testing.T) {
	b := newInFlight(10, 100)
	later := time.Now().Add(time.Minute)
	if err := b.admit(500, later); err != nil {
		t.Errorf("a change larger than the limit, alone: %v, want it admitted", err)
	}
	if err := b.admit(7, time.Now()); !errors.Is(err, errNoRoom) {
		t.Errorf("without time to wait: error %v, want %v", err, errNoRoom)
	}
	b.release(7)
	admitted := make(chan error)
	go func() { admitted <- b.admit(1, later) }()
	changetest.WaitFor(t, "a waiting change", func() bool { return b.waiting.Load() == 1 })
	b.release(500)
	if err := <-admitted; err != nil {
		t.Error(err)
	}
	b.grow(99)
	go func() { admitted <- b.admit(1, later) }()
	changetest.WaitFor(t, "a waiting change", func() bool { return b.waiting.Load() == 1 })
	b.close()
	if err := <-admitted; !errors.Is(err, errStopping) {
		t.Errorf("after close: error %v, want %v", err, errStopping)
	}
}

// When the server stops it reads no more, and changes in flight still get their replies.
func TestServe_drain(t *testing.T) {
	e := newEndpoint(t)
	r := start(t, allSets(pipelineTo(e.destination(t, "there"))), nil)
	n, idle := r.dial(t), r.dial(t)
	n.ship(t, write(t, "s", 1), write(t, "s", 2))
	changetest.WaitFor(t, "two changes in flight", func() bool { records, _ := r.server.inFlight.now(); return records == 2 })
	r.stop()
	idle.wantEnd(t)
	if _, err := net.Dial("tcp", r.address); err == nil {
		t.Error("new connections are accepted")
	}
	e.respond(2, 503)
	e.respond(1, 200)
	n.wantReplies(t, xdr.OK, xdr.Retry)
	n.wantEnd(t)
	n.Close()
	idle.Close()
	if err := <-r.stopped; err != nil {
		t.Error(err)
	}
}

func TestServe_drainTimeout(t *testing.T) {
	e := newEndpoint(t)
	r := start(t, allSets(pipelineTo(e.destination(t, "there"))), func(c *Config) { c.DrainTimeout = 50 * time.Millisecond })
	n := r.dial(t)
	n.ship(t, write(t, "s", 1))
	changetest.WaitFor(t, "a change in flight", func() bool { records, _ := r.server.inFlight.now(); return records == 1 })
	begin := time.Now()
	r.stop()
	defer func() {
		if took := time.Since(begin); took > Budget/2 {
			t.Errorf("draining took %v", took)
		}
	}()
	if err := <-r.stopped; err != nil {
		t.Error(err)
	}
	if log := r.log.String(); !strings.Contains(log, "longer than the drain timeout") {
		t.Errorf("the log does not say that a connection was cut:\n%s", log)
	}
}

func TestServe_listenerFails(t *testing.T) {
	r := start(t, route.Levels[Pipeline]{}, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := r.server.Serve(t.Context(), l); err == nil || !strings.Contains(err.Error(), "accept XDR connections on") {
		t.Errorf("error %v", err)
	}
}

// With many connections and a destination that fails now and then, every change arrives.
func TestServer_everyChangeArrives(t *testing.T) {
	var mu sync.Mutex
	seen, calls := map[int64]bool{}, 0
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		if calls++; calls%3 == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		for line := range strings.Lines(string(body)) {
			var c struct{ Bins []struct{ Value int64 } }
			if err := json.Unmarshal([]byte(line), &c); err != nil {
				t.Error(err)
				continue
			}
			seen[c.Bins[0].Value] = true
		}
	}))
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	t.Cleanup(s.Close)
	p := pipelineTo((&endpoint{Server: s}).destination(t, "there"))
	p.Stream.MaxRecords = 50
	r := start(t, allSets(p), nil)
	var frames []xdr.Frame
	for i := range 3000 {
		frames = append(frames, write(t, "s", i))
	}
	source := &xdrtest.Source{Address: r.address, Connections: 8, Window: 200, RetryAfter: 5 * time.Millisecond}
	if err := source.Play(t.Context(), frames); err != nil {
		t.Fatal(err)
	}
	stats := source.Stats()
	if len(seen) != len(frames) || stats.Success != len(frames) || stats.RetryDest == 0 || stats.Abandoned > 0 {
		t.Errorf("%d of %d changes arrived; %+v", len(seen), len(frames), stats)
	}
	changetest.WaitFor(t, "nothing in flight", func() bool { records, bytes := r.server.inFlight.now(); return records == 0 && bytes == 0 })
}

func TestServer_stories(t *testing.T) {
	changetest.EachStory(t, func(t *testing.T, s *changetest.Story) {
		var request string
		there := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			request = fmt.Sprintf("%s %s HTTP/1.1\nContent-Type: %s\n\n%s\n", r.Method, r.URL.Path, r.Header.Get("Content-Type"), body)
		}))
		there.Config.Protocols = new(http.Protocols)
		there.Config.Protocols.SetUnencryptedHTTP2(true)
		there.Start()
		defer there.Close()
		p := pipelineTo((&endpoint{Server: there}).destination(t, "there"))
		if strings.TrimSpace(string(s.Section(t, "format"))) == "flat-json" {
			p.Format = jsonformat.Flat{MetadataKey: "metadata", StringifyMapKeys: true}
			p.Stream.Envelope = p.Format
		}
		r := start(t, allSets(p), func(c *Config) { c.Now = func() time.Time { return changetest.Receipt } })
		n := r.dial(t)
		n.ship(t, s.Hex(t, "frame.hex"))
		f, err := n.replies.Next()
		if err != nil {
			t.Fatal(err)
		}
		s.Check(t, "reply.hex", fmt.Appendf(nil, "%x\n", []byte(f)))
		if diff := cmp.Diff(string(s.Section(t, "request.http")), request); diff != "" {
			t.Errorf("request (-want +got):\n%s", diff)
		}
	}, "frame.hex", "format", "request.http", "reply.hex")
}

func TestServer_manage(t *testing.T) {
	r := start(t, route.Levels[Pipeline]{}, nil)
	r.dial(t).ship(t, write(t, "s", 1))
	changetest.WaitFor(t, "readiness", r.server.ready.Load)
	changetest.WaitFor(t, "a change", func() bool {
		return testutil.ToFloat64(r.server.metrics.requests[resultSkipped]) == 1
	})
	h := r.server.Manage(r.registry)
	for _, tt := range []struct {
		path   string
		status int
		body   string
	}{
		{"/healthz", 200, ""},
		{"/readyz", 200, ""},
		{"/manage/rest/v1", 200, ""},
		{"/metrics", 200, `aerospike_esp_outbound_connections{cluster_name="test",status="active"} 1`},
		{"/manage/rest/v1/prometheus", 200, "aerosink_connector_ready"},
		{"/manage/rest/v1/metrics", 200, `"aerospike_esp_outbound_requests":[{"labels":{"cluster_name":"test","status":"error"},"value":0},`},
		{"/manage/rest/v1/metrics", 200, `"quantiles":{"0.5":`},
		{"/other", 404, ""},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, tt.path, nil))
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.body) {
			t.Errorf("%s: %d, want %d with %q:\n%s", tt.path, w.Code, tt.status, tt.body, w.Body)
		}
	}
	r.stop()
	if err := <-r.stopped; err != nil {
		t.Error(err)
	}
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil)); w.Code != http.StatusServiceUnavailable {
		t.Errorf("/readyz after the end: %d", w.Code)
	}
}

// Two goroutines push and pop the same slots, over many segments.
func TestSlotQueue_order(t *testing.T) {
	l := newSlotQueue()
	const n = 10 * segmentSize
	go func() {
		for i := range n {
			s := l.next()
			s.size = i
			l.push(s)
		}
	}()
	for i := range n {
		var s *slot
		for s == nil {
			s = l.front()
		}
		if s.size != i || s.seq != uint64(i+1) {
			t.Fatalf("slot %d has seq %d and size %d", i, s.seq, s.size)
		}
		l.pop()
	}
	if l.front() != nil {
		t.Error("the queue is not empty")
	}
}
