package devnode_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aerosink/aerosink/connector"
	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/deliver"
	"github.com/aerosink/aerosink/connector/deliver/delivertest"
	"github.com/aerosink/aerosink/connector/deliver/post"
	"github.com/aerosink/aerosink/connector/devnode"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/raw"
	"github.com/aerosink/aerosink/connector/route"
	"github.com/aerosink/aerosink/connector/xdr"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
)

// pipeline is a node that ships to a real connector, and the newest version of each record at
// the connector's destination.
type pipeline struct {
	node   *devnode.Node
	source *xdrtest.Source
	ledger *delivertest.Ledger

	mu     sync.Mutex
	newest map[change.Digest]change.Change
}

// newPipeline starts a node with the namespace test, a connector and a destination, which
// fails requests as fault says; nil never.
func newPipeline(t testing.TB, fault func(request int) delivertest.Fault) *pipeline {
	t.Helper()
	s := &pipeline{newest: map[change.Digest]change.Change{}}
	s.ledger = delivertest.Open(t, delivertest.Options{Fault: fault, Inspect: s.inspect})
	s.source = &xdrtest.Source{Address: startConnector(t, s.ledger.URL), Connections: 4, RetryAfter: 10 * time.Millisecond}
	s.node = listen(t, devnode.Config{Source: s.source})
	var running sync.WaitGroup
	running.Go(func() { s.source.Run(t.Context()) })
	t.Cleanup(running.Wait)
	return s
}

// startConnector starts a connector that sends every change to target as an XDR message, and
// returns the address where it receives them.
func startConnector(t testing.TB, target string) string {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	there := deliver.New(deliver.Config{
		Name: "there", URLs: []*url.URL{u}, Queue: 1 << 20, CallTimeout: 8 * time.Second,
		Config: post.Config{Connections: 1, Streams: 16, ConnectTimeout: 5 * time.Second},
	})
	stream := &deliver.Stream{Envelope: raw.Format{}, MaxRecords: 500, MaxBytes: 4 << 20}
	s := connector.New(connector.Config{
		Pipelines:  route.Levels[connector.Pipeline]{Root: connector.Pipeline{Format: raw.Format{}, Stream: stream, Destinations: []*deliver.Destination{there}}},
		MaxRecords: 32 << 10, MaxBytes: 64 << 20, MaxMessageBytes: xdr.DefaultLimit, DrainTimeout: 10 * time.Second,
		Metrics: connector.NewMetrics(prometheus.NewRegistry(), "test"), Logger: slog.New(slog.DiscardHandler),
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	ctx, stop := context.WithCancel(context.Background())
	serving.Go(func() {
		if err := s.Serve(ctx, l); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		stop()
		serving.Wait()
		there.Close(ctx)
	})
	return l.Addr().String()
}

// inspect keeps the newest version of each record in a request. A request that is failed
// comes again.
func (s *pipeline) inspect(_ *http.Request, changes []format.Parsed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range changes {
		c := p.Change
		if old, ok := s.newest[c.Digest]; !ok || c.Version().Compare(old.Version()) > 0 {
			s.newest[c.Digest] = c
		}
	}
}

// settled returns the newest versions once everything has been shipped. The destination has
// accepted each of them.
func (s *pipeline) settled(t testing.TB) map[change.Digest]change.Change {
	t.Helper()
	if err := s.source.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for d, c := range s.newest {
		if !s.ledger.Has(xdrtest.VersionOf(&c)) {
			t.Errorf("record %s: generation %d arrived, and was never accepted", d, c.Generation)
		}
	}
	return maps.Clone(s.newest)
}

// Each write's change arrives at the connector's destination, with the bins, the generation,
// the LUT and the time to live that a client reads, and the right operation. So does each
// delete's.
func TestClients_changes(t *testing.T) {
	s := newPipeline(t, nil)
	observer := newClientV7(t, s.node.Addr())
	for _, connect := range clients {
		t.Run(connect.name, func(t *testing.T) {
			c := connect.connect(t, s.node.Addr())
			for _, story := range readStories(t, "test", "c"+connect.name) {
				t.Run(story.title, func(t *testing.T) {
					if story.has("go") && c.name() == "npm" {
						t.Skip("this client cannot express it")
					}
					for i, cmd := range story.commands {
						if cmd.Do == "truncate" {
							return // which is not shipped
						}
						s.check(t, c, observer, cmd, story.lines[i])
					}
				})
			}
		})
	}
}

// check carries out a command, and compares the change of each record in it with what
// observer reads.
func (s *pipeline) check(t *testing.T, c, observer client, cmd call, line string) {
	t.Helper()
	before, begin := s.settled(t), time.Now().UnixMilli()
	c.run(cmd)
	after, end := s.settled(t), time.Now().UnixMilli()
	rows := append([]call{cmd}, cmd.Rows...)
	isDurable := slices.ContainsFunc(rows, func(r call) bool { return r.Durable })
	for _, row := range rows {
		if row.Key == "" || row.Namespace != "test" || len(row.Set) > 63 {
			continue
		}
		d := recordDigest(t, row)
		was, is := before[d], after[d]
		if is.Generation == 0 {
			if got := observer.run(row.read("")); got.Code == 0 {
				t.Errorf("%s: no change of a record arrived", line)
			}
			continue
		}
		if is.Version() != was.Version() {
			// Updates within a millisecond have times after each other.
			if latest := max(end, was.LUT) + int64(len(rows)); is.LUT < begin || is.LUT <= was.LUT || is.LUT > latest {
				t.Errorf("%s: LUT %d after %d, not from %d to %d", line, is.LUT, was.LUT, begin, latest)
			}
			if row.SendKey && is.Key.Kind() == change.KindNil {
				t.Errorf("%s: the user key did not arrive", line)
			}
			if is.Op.IsDelete() && (isDurable != (is.Op == change.DurableDelete) || is.Generation != was.Generation+1) {
				t.Errorf("%s: arrived as a %s with generation %d, after %d", line, is.Op, is.Generation, was.Generation)
			}
		}
		filter := "" // a deleted record is not found, whatever it is
		if !is.Op.IsDelete() {
			filter = "lut==" + strconv.FormatInt(is.LUT*1e6, 10)
		}
		if text := differs(observer.run(row.read(filter)), &is); text != "" {
			t.Errorf("%s: %s", line, text)
		}
	}
}

// read returns the call that reads the record of c, with a filter.
func (c *call) read(filter string) call {
	return call{
		Do: "get", Namespace: c.Namespace, Set: c.DigestSet, Key: c.Key, DigestOf: c.DigestOf, DigestSet: c.DigestSet, Filter: filter,
	}
}

// recordDigest returns the digest of the record of a command.
func recordDigest(t testing.TB, c call) change.Digest {
	t.Helper()
	text, set := c.Key, c.Set
	if c.DigestOf != "" {
		text, set = c.DigestOf, c.DigestSet
	}
	v, err := parseValue(text)
	if err != nil {
		t.Fatal(err)
	}
	var key change.Value
	switch v := v.(type) {
	case int64:
		key = change.IntegerValue(v)
	case string:
		key = change.StringValue([]byte(v))
	case []byte:
		key = change.BytesValue(change.KindBlob, v)
	}
	d, ok := xdr.Digest(set, key)
	if !ok {
		t.Fatalf("key %s", text)
	}
	return d
}

// differs says how a change differs from what a client reads of the record.
func differs(got outcome, c *change.Change) string {
	if c.Op.IsDelete() {
		want := outcome{Code: 2}
		return got.differs(want)
	}
	want := outcome{Gen: c.Generation, TTL: "never", Bins: map[string]string{}}
	if c.Expiry > 0 {
		want.TTL = strconv.FormatInt(max(c.Expiry-time.Now().Unix(), 0)+1, 10) // received a moment later
	}
	for _, b := range c.Bins {
		r := b.Value.Elements()
		want.Bins[b.Name] = literal(goValue(b.Value, &r))
	}
	return got.differs(want)
}

// goValue returns v as a Go client reads it. The elements of a list or map are read from r.
func goValue(v change.Value, r *change.Reader) any {
	switch v.Kind() {
	case change.KindNil:
		return nil
	case change.KindBool:
		return v.Bool()
	case change.KindInteger:
		return v.Integer()
	case change.KindDouble:
		return v.Double()
	case change.KindString:
		return string(v.Bytes())
	case change.KindGeoJSON:
		return geoValue(v.Bytes())
	case change.KindList:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = goValue(r.Next(), r)
		}
		return list
	case change.KindMap:
		pairs := make(map[any]any, v.Len())
		for range v.Len() {
			k := goValue(r.Next(), r)
			pairs[k] = goValue(r.Next(), r)
		}
		return pairs
	}
	return v.Bytes()
}
