package main

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	as "github.com/aerospike/aerospike-client-go/v7"
	"github.com/aerospike/aerospike-client-go/v7/types"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/aerosink/aerosink/connector"
	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/deliver"
	"github.com/aerosink/aerosink/connector/deliver/post"
	"github.com/aerosink/aerosink/connector/devnode"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/json"
	"github.com/aerosink/aerosink/connector/format/raw"
	"github.com/aerosink/aerosink/connector/route"
	"github.com/aerosink/aerosink/connector/xdr"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
	"github.com/aerosink/aerosink/function"
	"github.com/aerosink/aerosink/function/google"
	"github.com/aerosink/aerosink/function/settings"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// pipeline is a development node that ships its namespace shop through a connector and the
// function to the archive of a fake bucket.
type pipeline struct {
	node   *devnode.Node
	source *xdrtest.Source
}

// startPipeline starts a pipeline, which ends with the test. The connector sends f, and the
// sink has these parameters.
func startPipeline(t *testing.T, policy xdrtest.Policy, f format.Format, parameters string) *pipeline {
	t.Helper()
	sinktest.New(t)
	environment := map[string]string{"SINKS": sinktest.ArchiveSink + "?linger=5ms" + parameters}
	log := slog.New(slog.DiscardHandler)
	e := settings.Environment{Getenv: func(name string) string { return environment[name] }, Sinks: google.Sinks()}
	c, err := e.Parse(sink.Options{})
	if err != nil {
		t.Fatal(err)
	}
	receiver := function.New(e, log)
	functionAddress := serveOnLoopback(t, func(ctx context.Context, l net.Listener) error {
		return function.Serve(ctx, l, receiver, c.Limits, log)
	})
	destination := deliver.New(deliver.Config{
		Name: "function", URLs: []*url.URL{{Scheme: "http", Host: functionAddress, Path: "/"}},
		Config: post.Config{Connections: 1, Streams: 16, ConnectTimeout: time.Second}, Queue: 32768, CallTimeout: 8 * time.Second,
	})
	server := connector.New(connector.Config{
		Pipelines: route.Levels[connector.Pipeline]{Root: connector.Pipeline{
			Format: f, Stream: &deliver.Stream{Envelope: f, MaxRecords: 500, MaxBytes: 4 << 20}, Destinations: []*deliver.Destination{destination},
		}},
		MaxRecords: 32768, MaxBytes: 64 << 20, MaxMessageBytes: xdr.DefaultLimit, DrainTimeout: 10 * time.Second,
		Metrics: connector.NewMetrics(prometheus.NewRegistry(), "test"), Logger: log,
	})
	connectorAddress := serveOnLoopback(t, func(ctx context.Context, l net.Listener) error { return server.Serve(ctx, l) })
	p := &pipeline{source: &xdrtest.Source{Address: connectorAddress, Policy: policy}}
	if p.node, err = devnode.Listen("127.0.0.1:0", devnode.Config{Namespaces: []string{"shop"}, Source: p.source}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { p.source.Run(ctx) })
	t.Cleanup(func() {
		stop()
		running.Wait()
		if err := p.node.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// serveOnLoopback runs serve on loopback until the test ends, and returns its address.
func serveOnLoopback(t *testing.T, serve func(ctx context.Context, l net.Listener) error) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// emptyNode starts a node with these namespaces, which ends with the test.
func emptyNode(t *testing.T, c devnode.Config) *devnode.Node {
	t.Helper()
	n, err := devnode.Listen("127.0.0.1:0", c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// client returns a client of a node.
func client(t *testing.T, n *devnode.Node) *as.Client {
	t.Helper()
	hosts, err := as.NewHosts(n.Addr())
	if err != nil {
		t.Fatal(err)
	}
	c, asErr := as.NewClientWithPolicyAndHost(as.NewClientPolicy(), hosts...)
	if asErr != nil {
		t.Fatal(asErr)
	}
	t.Cleanup(c.Close)
	return c
}

// state is the records of a namespace, by digest.
type state map[string]record

// record is what a restore brings back.
type record struct {
	set, key, bins string
	expiry         int64
}

// stateOf returns the records of a namespace of a node.
func stateOf(n *devnode.Node, namespace string) state {
	all := state{}
	for partition := range change.Partitions {
		for _, c := range n.Source().Scan(nil, namespace, partition, nil, 1<<20) {
			bins := map[string]string{}
			for _, b := range c.Bins {
				if b.Value.Kind() != change.KindNil {
					bins[b.Name] = string(changetest.Describe(&change.Change{Bins: []change.Bin{{Value: b.Value}}}))
				}
			}
			key := changetest.Describe(&change.Change{Key: c.Key})
			all[c.Digest.String()] = record{c.Set, string(key), fmt.Sprint(bins), c.Expiry}
		}
	}
	return all
}

// equalStates compares states. Expiries may differ by the second that a TTL is rounded by.
func equalStates(want, got state) string {
	return cmp.Diff(want, got, cmp.Comparer(func(a, b record) bool {
		const rounding = 1
		return a.set == b.set && a.key == b.key && a.bins == b.bins && (a.expiry == 0) == (b.expiry == 0) &&
			max(a.expiry-b.expiry, b.expiry-a.expiry) <= rounding
	}), cmp.AllowUnexported(record{}))
}

// operate does n random operations. Without blobs, flat JSON has all values as they are.
func operate(t *testing.T, c *as.Client, random *rand.Rand, n int, blobs bool) {
	for range n {
		key, err := as.NewKey("shop", fmt.Sprint("set-", random.IntN(2)), fmt.Sprint("key-", random.IntN(60)))
		if err != nil {
			t.Error(err)
			return
		}
		p := as.NewWritePolicy(0, 0)
		p.SendKey = true
		p.Expiration = []uint32{as.TTLDontExpire, 100_000, as.TTLDontUpdate}[random.IntN(3)]
		values := []any{random.Int64(), "text", 1.5, true, []any{1, "a"}, map[any]any{"a": 1}, 0}
		if blobs {
			values[6] = []byte{1, 2}
		}
		value := values[random.IntN(len(values))]
		var failed as.Error
		switch random.IntN(10) {
		case 0:
			_, failed = c.Delete(p, key)
		case 1:
			p.DurableDelete = true
			_, failed = c.Delete(p, key)
		case 2:
			failed = c.Touch(p, key)
		case 3:
			failed = c.PutBins(p, key, as.NewBin("b", nil))
		case 4, 5:
			p.RecordExistsAction = as.REPLACE
			failed = c.PutBins(p, key, as.NewBin("a", value), as.NewBin("c", 1))
		default:
			failed = c.PutBins(p, key, as.NewBin(string(rune('a'+random.IntN(3))), value))
		}
		if failed != nil && !failed.Matches(types.KEY_NOT_FOUND_ERROR) {
			t.Error(failed)
			return
		}
	}
}

// snapshot waits until all changes are archived, and returns the state with a time that is
// after their update times, and before those of all others.
func (p *pipeline) snapshot(t *testing.T) (state, time.Time) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := p.source.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	var last int64
	for _, v := range p.source.Newest("shop") {
		last = max(last, v.LUT)
	}
	for time.Now().UnixMilli() <= last {
		time.Sleep(time.Millisecond) // the clock is the node's
	}
	return stateOf(p.node, "shop"), time.UnixMilli(last + 1)
}

// A restore of what random clients did equals the node at each of ten times: bins, keys and
// expiry. The archive is one of each format, with whole records and with changed bins.
func TestRestore_anyTime(t *testing.T) {
	for name, tt := range map[string]struct {
		policy     xdrtest.Policy
		format     format.Format
		parameters string
	}{
		"lines":                 {xdrtest.Policy{}, json.Format{StringifyMapKeys: true}, ""},
		"gzipped lines, flat":   {xdrtest.Policy{}, json.Flat{MetadataKey: "metadata", StringifyMapKeys: true}, "&compression=gzip"},
		"Avro":                  {xdrtest.Policy{}, raw.Format{}, "&format=avro"},
		"Parquet":               {xdrtest.Policy{}, raw.Format{}, "&format=parquet"},
		"Avro, changed bins":    {xdrtest.Policy{Bins: xdrtest.OnlyChanged}, raw.Format{}, "&format=avro"},
		"Parquet, changed bins": {xdrtest.Policy{Bins: xdrtest.OnlyChanged, BinLUTs: true}, raw.Format{}, "&format=parquet"},
	} {
		t.Run(name, func(t *testing.T) {
			const times, clients, operations = 10, 4, 40
			p := startPipeline(t, tt.policy, tt.format, tt.parameters)
			var namespaces []string
			for i := range times {
				namespaces = append(namespaces, fmt.Sprint("at-", i))
			}
			target := emptyNode(t, devnode.Config{Namespaces: namespaces})
			var states []state
			var untils []time.Time
			c := client(t, p.node)
			for i := range times {
				var running sync.WaitGroup
				for j := range clients {
					running.Go(func() { operate(t, c, rand.New(rand.NewPCG(uint64(i), uint64(j))), operations, name != "gzipped lines, flat") })
				}
				running.Wait()
				s, until := p.snapshot(t)
				states, untils = append(states, s), append(untils, until)
			}
			for i, want := range states {
				out, log, err := sinkCommand(t, nil, "replay", sinktest.ArchiveSink, "-namespace", "shop", "-until", untils[i].UTC().Format(time.RFC3339Nano),
					"-to", "aerospike://"+target.Addr()+"/"+namespaces[i]+"?mode=records")
				if err != nil || !strings.HasPrefix(out, "restored: ") {
					t.Errorf("%q, %q, error %v", out, log, err)
				}
				if diff := equalStates(want, stateOf(target, namespaces[i])); diff != "" || len(want) == 0 {
					t.Errorf("time %d, %d records (-want +got):\n%.3000s\n%s", i, len(want), diff, log)
				}
			}
		})
	}
}
