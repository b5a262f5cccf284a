package connector

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/deadletter"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/deliver"
	"github.com/aerosink/aerosink/connector/format/raw"
	"github.com/aerosink/aerosink/connector/xdr"
)

// In the format xdr, messages are sent unchanged.
func TestReader_passThrough(t *testing.T) {
	bodies := make(chan string, 10)
	there := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		bodies <- fmt.Sprintf("%s %x", r.Header.Get("Content-Type"), body)
	}))
	there.Config.Protocols = new(http.Protocols)
	there.Config.Protocols.SetUnencryptedHTTP2(true)
	there.Start()
	t.Cleanup(there.Close)
	d := (&endpoint{Server: there}).destination(t, "there")
	r := start(t, allSets(Pipeline{
		Format: raw.Format{}, Stream: &deliver.Stream{Envelope: raw.Format{}, MaxRecords: 1, MaxBytes: 1 << 20}, Destinations: []*deliver.Destination{d},
	}), nil)
	n := r.dial(t)
	n.ship(t, write(t, "s", 1))
	n.wantReplies(t, xdr.OK)
	if diff := cmp.Diff(fmt.Sprintf("application/octet-stream 01%x", write(t, "s", 1)), <-bodies); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

// After its TTL, a connection ends once its changes are answered. New ones are accepted.
func TestSession_connectionTTL(t *testing.T) {
	e := newEndpoint(t)
	r := start(t, allSets(pipelineTo(e.destination(t, "there"))), func(c *Config) { c.ConnectionTTL = 50 * time.Millisecond })
	n := r.dial(t)
	n.ship(t, write(t, "s", 1))
	changetest.WaitFor(t, "the end of the connection's TTL", func() bool { return testutil.ToFloat64(r.server.metrics.retired) == 1 })
	e.respond(1, http.StatusOK)
	n.wantReplies(t, xdr.OK)
	n.wantEnd(t)
	r.dial(t)
}

func TestJitter(t *testing.T) {
	least, most := time.Hour, time.Duration(0)
	for range 1000 {
		d := jitter(time.Minute)
		least, most = min(least, d), max(most, d)
	}
	if least < 54*time.Second || most > 66*time.Second || most-least < 6*time.Second {
		t.Errorf("from %s to %s, want about 54s to 66s", least, most)
	}
}

// Records of the database's transaction monitors are answered, counted, and not sent.
func TestReader_monitorRecords(t *testing.T) {
	e := newEndpoint(t)
	r := start(t, allSets(pipelineTo(e.destination(t, "there"))), nil)
	n := r.dial(t)
	n.ship(t, write(t, xdr.MonitorSet, 1))
	n.wantReplies(t, xdr.OK)
	if got := testutil.ToFloat64(r.server.metrics.monitors); got != 1 || len(e.bodies) > 0 {
		t.Errorf("%v monitor records, %d requests", got, len(e.bodies))
	}
}

// Changes are counted by namespace, set and verdict.
func TestMetrics_changesBySet(t *testing.T) {
	e := newEndpoint(t)
	r := start(t, allSets(pipelineTo(e.destination(t, "there"))), nil)
	n := r.dial(t)
	for i, status := range []int{200, 200, 503} {
		e.respond(int64(i), status)
		n.ship(t, write(t, "s", i))
		n.wantReplies(t, map[int]xdr.Code{200: xdr.OK, 503: xdr.Retry}[status])
	}
	const want = `
		# HELP aerosink_connector_changes_total Changes answered, by namespace, set and verdict.
		# TYPE aerosink_connector_changes_total counter
		aerosink_connector_changes_total{cluster_name="test",namespace="",set="",verdict="dead"} 0
		aerosink_connector_changes_total{cluster_name="test",namespace="",set="",verdict="delivered"} 0
		aerosink_connector_changes_total{cluster_name="test",namespace="",set="",verdict="malformed"} 0
		aerosink_connector_changes_total{cluster_name="test",namespace="",set="",verdict="retry"} 0
		aerosink_connector_changes_total{cluster_name="test",namespace="",set="",verdict="skipped"} 0
		aerosink_connector_changes_total{cluster_name="test",namespace="test",set="s",verdict="dead"} 0
		aerosink_connector_changes_total{cluster_name="test",namespace="test",set="s",verdict="delivered"} 2
		aerosink_connector_changes_total{cluster_name="test",namespace="test",set="s",verdict="malformed"} 0
		aerosink_connector_changes_total{cluster_name="test",namespace="test",set="s",verdict="retry"} 1
		aerosink_connector_changes_total{cluster_name="test",namespace="test",set="s",verdict="skipped"} 0
	`
	if err := testutil.GatherAndCompare(r.registry, strings.NewReader(want), "aerosink_connector_changes_total"); err != nil {
		t.Error(err)
	}
}

// Sets beyond maxSets share one series for each verdict.
func TestSetCounterMap_bounded(t *testing.T) {
	registry := prometheus.NewRegistry()
	m := NewMetrics(registry, "test")
	for i := range 10 * maxSets {
		m.sets.of("test", fmt.Sprint("set ", i)).results[resultDelivered].Inc()
	}
	m.sets.of("test", "not \xff UTF-8").results[resultDelivered].Inc()
	if n := testutil.CollectAndCount(m.sets.changes); n > (maxSets+2)*int(numResults) {
		t.Errorf("%d series", n)
	}
	if got := testutil.ToFloat64(m.sets.changes.WithLabelValues(otherSets, otherSets, "delivered")); got != 9*maxSets+1 {
		t.Errorf("%v changes counted as otherSets, want %d", got, 9*maxSets+1)
	}
}

// On a port for TLS, a stream that is something else is called what it is.
func TestSession_handshakeFails(t *testing.T) {
	for _, tt := range []struct {
		stream []byte
		want   string
	}{
		{write(t, "s", 1), "does not look like a TLS handshake: it is XDR in clear text"},
		{[]byte("GET /readyz HTTP/1.1\r\n\r\n"), "it is an HTTP request"},
		{[]byte("\xff\xff\xff\xff\xff\xff\xff\xff"), `does not look like a TLS handshake"`},
	} {
		one, other := net.Pipe()
		t.Cleanup(func() { one.Close(); other.Close() })
		r := start(t, allSets(Pipeline{}), nil)
		ss := newSession(r.server, tls.Server(one, &tls.Config{}), r.server.ports.rest)
		go func() { _, _ = other.Write(tt.stream) }()
		if ss.handshake() {
			t.Error("a node that does not speak TLS is served")
		}
		if log := r.log.String(); !strings.Contains(log, "TLS handshake failed") || !strings.Contains(log, tt.want) {
			t.Errorf("log, want %s:\n%s", tt.want, log)
		}
	}
}

// The budget includes the time that a change waits at the limit of changes in flight.
func TestSession_budgetIncludesWait(t *testing.T) {
	e := newEndpoint(t)
	const budget = 300 * time.Millisecond
	r := start(t, allSets(pipelineTo(e.destination(t, "there"))), func(c *Config) { c.Budget = budget; c.MaxRecords = 1 })
	one, two := r.dial(t), r.dial(t)
	one.ship(t, write(t, "s", 1))
	changetest.WaitFor(t, "a change in flight", func() bool { records, _ := r.server.inFlight.now(); return records == 1 })
	r.server.inFlight.records.Add(1) // never subtracted, so that the second change waits
	begin := time.Now()
	two.ship(t, write(t, "s", 2))
	two.wantReplies(t, xdr.Retry)
	if took := time.Since(begin); took < budget || took > 10*budget {
		t.Errorf("answered after %v", took)
	}
}

// A node that does not read its replies does not hold up others.
func TestSession_repliesUnread(t *testing.T) {
	const most = 100
	r := start(t, allSets(Pipeline{}), func(c *Config) { c.MaxRecords = most })
	greedy, other := net.Pipe() // without a buffer
	t.Cleanup(func() { greedy.Close(); other.Close() })
	r.server.start(other, r.server.ports.rest)
	go func() {
		for i := range 100 * most { // more than are answered in one write
			if _, err := greedy.Write(write(t, "s", i)); err != nil {
				return // the test is over
			}
		}
	}()
	queue := func() *slotQueue {
		r.server.mu.Lock()
		defer r.server.mu.Unlock()
		for ss := range r.server.sessions {
			if ss.conn == other {
				return ss.queue
			}
		}
		return nil
	}
	changetest.WaitFor(t, "the limit of unread replies", func() bool { l := queue(); return l != nil && !l.isBelow(2*most) })
	n := r.dial(t)
	n.ship(t, write(t, "s", 1))
	n.wantReplies(t, xdr.OK)
	if records, _ := r.server.inFlight.now(); records > 0 {
		t.Errorf("%d changes in flight", records)
	}
}

// A session does not keep the buffer of a large change.
func TestReader_dropsLargeBuffer(t *testing.T) {
	e := newEndpoint(t)
	r := start(t, allSets(pipelineTo(e.destination(t, "there"))), nil)
	conn, other := net.Pipe()
	t.Cleanup(func() { conn.Close(); other.Close() })
	reader := newReader(newSession(r.server, conn, r.server.ports.rest))
	c := change.Change{Namespace: "test", Bins: []change.Bin{
		{Name: "i", Value: change.IntegerValue(1)}, {Name: "large", Value: change.StringValue(make([]byte, 2*maxKeptBytes))},
	}}
	f, err := xdr.AppendMessage(nil, &c, changetest.Receipt)
	if err != nil {
		t.Fatal(err)
	}
	e.respond(1, http.StatusOK)
	reader.take(f)
	if cap(reader.encoded) > maxKeptBytes {
		t.Errorf("%d bytes kept, want at most %d", cap(reader.encoded), maxKeptBytes)
	}
	changetest.WaitFor(t, "nothing in flight", func() bool { records, _ := r.server.inFlight.now(); return records == 0 })
}

// A reference to a slot keeps only its own segment alive.
func TestSlotQueue_unlinksSegments(t *testing.T) {
	l := newSlotQueue()
	first := l.first
	for range 3 * segmentSize {
		l.push(l.next())
		l.front()
		l.pop()
	}
	if first.next != nil {
		t.Error("the first segment refers to the next")
	}
}

// The log gives only hints that can help.
func TestWriter_hints(t *testing.T) {
	failing := failingDeadLetters{}
	for name, tt := range map[string]struct {
		deadLetters DeadLetters
		message     []byte
		want        string
		not         string
	}{
		"no dead letters":            {nil, malformedAt(t, 1, 8), "set dead-letters", "raise"},
		"dead letters fail":          {failing, malformedAt(t, 1, 8), "the disk is gone", "set dead-letters"},
		"too large, no dead letters": {nil, make([]byte, 2000), "raise service.max-message-bytes, or set dead-letters", "malformed"},
		"too large, dead letters":    {failing, make([]byte, 2000), "raise service.max-message-bytes", "set dead-letters"},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, allSets(Pipeline{}), func(c *Config) { c.DeadLetters, c.MaxMessageBytes = tt.deadLetters, 1024 })
			if len(tt.message) > 1024 {
				copy(tt.message, []byte{2, 3, 0, 0, 0, 0, byte((len(tt.message) - 8) >> 8), byte(len(tt.message) - 8)})
			}
			n := r.dial(t)
			n.ship(t, tt.message)
			n.wantReplies(t, xdr.Retry)
			if log := r.log.String(); !strings.Contains(log, tt.want) || strings.Contains(log, tt.not) {
				t.Errorf("log, want %q and not %q:\n%s", tt.want, tt.not, log)
			}
		})
	}
}

// failingDeadLetters cannot store anything.
type failingDeadLetters struct{}

func (failingDeadLetters) Store(_ deadletter.Letter, _ time.Time, to change.Recipient) {
	to.Done(errors.New("the disk is gone"))
}

func (failingDeadLetters) Where() string { return "nowhere" }
