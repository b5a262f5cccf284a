package audit_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	as "github.com/aerospike/aerospike-client-go/v7"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/aerosink/aerosink/connector"
	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/deliver"
	"github.com/aerosink/aerosink/connector/deliver/post"
	"github.com/aerosink/aerosink/connector/format/formats"
	"github.com/aerosink/aerosink/connector/format/json"
	"github.com/aerosink/aerosink/connector/route"
	"github.com/aerosink/aerosink/connector/xdr"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
)

// startConnector starts a connector that POSTs the changes of a node to a URL, and returns
// the source that ships to it.
func startConnector(t testing.TB, to string) *xdrtest.Source {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	destination := deliver.New(deliver.Config{
		Name: "test", URLs: []*url.URL{u}, Config: post.Config{Connections: 1, Streams: 8, ConnectTimeout: 5 * time.Second},
		Queue: 32768, CallTimeout: 8 * time.Second,
	})
	f := json.Format{}
	server := connector.New(connector.Config{
		Pipelines: route.Levels[connector.Pipeline]{Root: connector.Pipeline{
			Format: f, Stream: &deliver.Stream{Envelope: f, MaxRecords: 500, MaxBytes: 4 << 20}, Destinations: []*deliver.Destination{destination},
		}},
		MaxRecords: 32768, MaxBytes: 64 << 20, MaxMessageBytes: xdr.DefaultLimit, DrainTimeout: time.Second,
		Metrics: connector.NewMetrics(prometheus.NewRegistry(), "test"), Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	ctx, stop := context.WithCancel(context.Background())
	source := &xdrtest.Source{Address: l.Addr().String(), Connections: 4}
	var running sync.WaitGroup
	running.Go(func() {
		if err := server.Serve(ctx, l); err != nil {
			t.Errorf("connector: %v", err)
		}
	})
	t.Cleanup(func() {
		stop()
		running.Wait()
		destination.Close(ctx)
	})
	return source
}

// ship runs the source, once its node listens.
func ship(t testing.TB, source *xdrtest.Source) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { source.Run(ctx) })
	t.Cleanup(func() {
		stop()
		running.Wait()
	})
}

// settle returns when everything so far is shipped.
func settle(t testing.TB, source *xdrtest.Source) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 90*time.Second)
	defer stop()
	if err := source.Settle(ctx); err != nil {
		t.Fatal(err)
	}
}

// funnel is an HTTP endpoint that writes the changes that it receives to an archive, as alter
// leaves them.
type funnel struct {
	*archive
	alter atomic.Pointer[func(c change.Change) []change.Change]
}

func startFunnel(t testing.TB, a *archive) (f *funnel, url string) {
	t.Helper()
	f = &funnel{archive: a}
	server := httptest.NewUnstartedServer(f)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	return f, server.URL
}

func (f *funnel) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	parsed, err := formats.Parser{MetadataKey: "metadata", Bins: true}.Parse(r.Header.Get("Content-Type"), body)
	if err != nil {
		f.t.Errorf("a body that is not of changes: %v", err)
	}
	alter := f.alter.Load()
	var changes []change.Change
	for _, p := range parsed {
		if alter == nil {
			changes = append(changes, p.Change)
			continue
		}
		changes = append(changes, (*alter)(p.Change)...)
	}
	f.add(changes...)
}

// load writes n records from first on, in batches, with a TTL in seconds.
func (c *cluster) load(first, n int, ttl uint32) {
	c.t.Helper()
	const size = 1000
	policy := as.NewBatchPolicy()
	policy.TotalTimeout = time.Minute
	write := as.NewBatchWritePolicy()
	write.Expiration = ttl
	for at := first; at < first+n; at += size {
		var batch []as.BatchRecordIfc
		for i := at; i < min(at+size, first+n); i++ {
			batch = append(batch, as.NewBatchWrite(write, c.key(i), as.PutOp(as.NewBin("n", i))))
		}
		if err := c.client.BatchOperate(policy, batch); err != nil {
			c.t.Fatal(err)
		}
		for _, r := range batch {
			if r.BatchRec().Err != nil {
				c.t.Fatal(r.BatchRec().Err)
			}
		}
	}
}
