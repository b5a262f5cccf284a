package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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
	"github.com/aerosink/aerosink/connector/devnode/devnodetest"
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
	"github.com/aerosink/aerosink/function/sink/row"
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
	p.node = devnodetest.Start(t, devnode.Config{Namespaces: []string{"shop"}, Source: p.source})
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { p.source.Run(ctx) })
	t.Cleanup(func() {
		stop()
		running.Wait()
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

// operate does n random operations in sets that begin with set. Without blobs, flat JSON has
// all values as they are.
func operate(t *testing.T, c *as.Client, random *rand.Rand, set string, n int, blobs bool) {
	for range n {
		key, err := as.NewKey("shop", fmt.Sprint(set, random.IntN(2)), fmt.Sprint("key-", random.IntN(60)))
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
	changetest.WaitFor(t, "a later time", func() bool { return time.Now().UnixMilli() > last }) // the clock is the node's
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
			const clients, operations = 4, 40
			times := 10
			if changetest.Raced {
				times = 3
			}
			p := startPipeline(t, tt.policy, tt.format, tt.parameters)
			var namespaces []string
			for i := range times {
				namespaces = append(namespaces, fmt.Sprint("at-", i))
			}
			target := devnodetest.Start(t, devnode.Config{Namespaces: namespaces})
			var states []state
			var untils []time.Time
			c := devnodetest.Connect(t, p.node.Addr())
			for i := range times {
				var running sync.WaitGroup
				for j := range clients {
					running.Go(func() {
						operate(t, c, rand.New(rand.NewPCG(uint64(i), uint64(j))), "set-", operations, name != "gzipped lines, flat")
					})
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

// scanned returns the records of a set as a client reads them.
func scanned(t *testing.T, c *as.Client, namespace, set string) state {
	t.Helper()
	found, err := c.ScanAll(nil, namespace, set)
	if err != nil {
		t.Fatal(err)
	}
	all := state{}
	for r := range found.Results() {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		got := record{set: r.Record.Key.SetName(), key: fmt.Sprint(r.Record.Key.Value()), bins: fmt.Sprintf("%#v", r.Record.Bins)}
		if ttl := r.Record.Expiration; ttl != as.TTLDontExpire {
			got.expiry = time.Now().Unix() + int64(ttl)
		}
		all[change.Digest(r.Record.Key.Digest()).String()] = got
	}
	return all
}

// A restore into a server, over what an earlier one has restored, equals the node. It needs
// AEROSPIKE_HOST, and writes into the namespace in AEROSPIKE_RESTORE.
func TestRestore_server(t *testing.T) {
	host, ok := devnodetest.Server()
	namespace := os.Getenv("AEROSPIKE_RESTORE")
	if !ok || namespace == "" {
		t.Skip("AEROSPIKE_HOST and AEROSPIKE_RESTORE name no server and namespace")
	}
	p := startPipeline(t, xdrtest.Policy{Bins: xdrtest.OnlyChanged}, raw.Format{}, "&format=avro")
	server := devnodetest.Connect(t, host)
	set := fmt.Sprintf("restore%x-", rand.Uint64())
	t.Cleanup(func() {
		for i := range 2 {
			left, err := server.ScanAll(nil, namespace, fmt.Sprint(set, i))
			if err != nil {
				t.Fatal(err)
			}
			for r := range left.Results() {
				if r.Err != nil {
					t.Fatal(r.Err)
				}
				if _, err := server.Delete(nil, r.Record.Key); err != nil {
					t.Error(err)
				}
			}
		}
	})
	node := devnodetest.Connect(t, p.node.Addr())
	for round := range 2 {
		operate(t, node, rand.New(rand.NewPCG(uint64(round), 5)), set, 600, true)
		_, until := p.snapshot(t)
		for range 2 {
			out, log, err := sinkCommand(t, nil, "replay", sinktest.ArchiveSink, "-namespace", "shop", "-until", until.UTC().Format(time.RFC3339Nano),
				"-to", "aerospike://"+host+"/"+namespace+"?mode=records&durable-delete=never") // as Community Edition needs it
			if err != nil || !strings.HasPrefix(out, "restored: ") {
				t.Fatalf("%q, %q, error %v", out, log, err)
			}
		}
		for i := range 2 {
			want := scanned(t, node, "shop", fmt.Sprint(set, i))
			if diff := equalStates(want, scanned(t, server, namespace, fmt.Sprint(set, i))); diff != "" || len(want) < 20 {
				t.Errorf("round %d, set %d, %d records (-want +got):\n%.3000s", round, i, len(want), diff)
			}
		}
	}
}

// writeRows writes an archive in Avro of n records with two versions each, in files of 1,000
// changes, and returns its folder.
func writeRows(t *testing.T, n int) (folder string) {
	t.Helper()
	folder = t.TempDir()
	var rows []row.Row
	for i := range 2 * n {
		c := change.Change{
			Namespace: "shop", Set: "a/b\x00é=\n", Generation: uint32(1 + i/n), LUT: 1764000000000 + int64(i), Mode: change.Replace,
			Bins: []change.Bin{{Name: "n", Value: change.IntegerValue(int64(i))}},
		}
		binary.LittleEndian.PutUint32(c.Digest[:], uint32(i%n)*0x9e3779b1)
		c.Key = []change.Value{
			change.IntegerValue(int64(i % n)), change.StringValue([]byte{'k', 0xff, byte(i % n)}), change.BytesValue(change.KindBlob, []byte{0, byte(i % n)}), {},
		}[i%n%4]
		r, err := row.Of(&format.Parsed{Change: c})
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, r)
	}
	for part := range slices.Chunk(rows, 1000) {
		content, err := row.AvroFile(part, "null")
		if err != nil {
			t.Fatal(err)
		}
		files, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%03d.avro", len(files))), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// checkRows checks that a namespace has the second version of each record of writeRows.
func checkRows(t *testing.T, n *devnode.Node, namespace string, want int) {
	t.Helper()
	got := 0
	for partition := range change.Partitions {
		for _, c := range n.Source().Scan(nil, namespace, partition, nil, 1<<20) {
			got++
			i := c.Bins[0].Value.Integer()
			if len(c.Bins) != 1 || i < int64(want) || i >= 2*int64(want) || c.Set != "a/b\x00é=\n" || (c.Key.Kind() == change.KindNil) != (i%int64(want)%4 == 3) {
				t.Fatalf("%s", changetest.Describe(c))
			}
		}
	}
	if got != want {
		t.Errorf("%d records, want %d", got, want)
	}
}

// A restore that is killed continues from its checkpoint, without what it has written already.
// A second restore changes nothing.
func TestRestore_killed(t *testing.T) {
	const n, batches = 20_000, 60
	folder := writeRows(t, n)
	var requests, rows atomic.Int64
	reached := make(chan struct{})
	var killed atomic.Bool
	node := devnodetest.Start(t, devnode.Config{Namespaces: []string{"again"}, Fault: func(c devnode.Command) devnode.Fault {
		if c.Kind != devnode.Batch {
			return devnode.Fault{}
		}
		rows.Add(int64(c.Rows))
		if requests.Add(1) == batches {
			close(reached)
		}
		if requests.Load() > batches && !killed.Load() {
			return devnode.Fault{DropBefore: true} // so that it does not end before it is killed
		}
		return devnode.Fault{}
	}})
	checkpoint := filepath.Join(t.TempDir(), "checkpoint")
	arguments := []string{"replay", folder, "-namespace", "shop", "-to", "aerospike://" + node.Addr() + "/again?mode=records", "-checkpoint", checkpoint}
	first := changetest.Command(t, arguments...)
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	<-reached
	waitForCheckpoint(t, checkpoint)
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait() // it was killed
	killed.Store(true)
	before := rows.Swap(0)
	out, log, err := sinkCommand(t, nil, arguments...)
	want := fmt.Sprintf("restored: %d objects, %d changes, %d records (", 2*n/1000, 2*n, n)
	if err != nil || !strings.HasPrefix(out, want) || !strings.Contains(log, "continuing after ") {
		t.Errorf("%q, %q, error %v; want %q", out, log, err, want)
	}
	checkRows(t, node, "again", n)
	if after := rows.Load(); after > n-1000 {
		t.Errorf("%d records before it was killed, %d after: it began anew", before, after)
	}
	if _, err := os.Stat(checkpoint); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the checkpoint still exists: %v", err)
	}
	if _, log, err := sinkCommand(t, nil, arguments...); err != nil {
		t.Errorf("%q, error %v", log, err)
	}
	checkRows(t, node, "again", n)
}

// waitForCheckpoint waits until a checkpoint says that records were written.
func waitForCheckpoint(t *testing.T, path string) {
	t.Helper()
	changetest.WaitFor(t, "progress in the checkpoint", func() bool {
		text, err := os.ReadFile(path)
		return err == nil && strings.Contains(string(text), `"Records": `) && !strings.Contains(string(text), `"Records": 0,`)
	})
}

// A node that goes away in the middle is waited for, and nothing is lost or doubled.
func TestRestore_nodeAway(t *testing.T) {
	const n = 3000
	folder := writeRows(t, n)
	var requests atomic.Int64
	node := devnodetest.Start(t, devnode.Config{Namespaces: []string{"shop"}, Fault: func(c devnode.Command) devnode.Fault {
		if c.Kind != devnode.Batch {
			return devnode.Fault{}
		}
		switch i := requests.Add(1); {
		case i >= 5 && i < 10:
			return devnode.Fault{DropBefore: true}
		case i >= 10 && i < 15:
			return devnode.Fault{DropAfter: true}
		case i >= 15 && i < 17:
			return devnode.Fault{Code: 18}
		}
		return devnode.Fault{}
	}})
	out, log, err := sinkCommand(t, nil, "replay", folder, "-to", "aerospike://"+node.Addr()+"/shop?mode=records")
	if err != nil || !strings.Contains(log, "store changes: retrying in 500ms: ") {
		t.Errorf("%q, %q, error %v", out, log, err)
	}
	checkRows(t, node, "shop", n)
}

// A dry run says what would be written, and writes nothing.
func TestRestore_dryRun(t *testing.T) {
	folder := writeRows(t, 1000)
	node := devnodetest.Start(t, devnode.Config{Namespaces: []string{"shop"}})
	out, log, err := sinkCommand(t, nil, "replay", folder, "-dry-run", "-to", "aerospike://"+node.Addr()+"/shop?mode=records")
	if want := "would restore: 2 objects, 2000 changes, 1000 records (9000 bytes), 0 deletes\n"; err != nil || out != want {
		t.Errorf("%q, %q, error %v; want %q", out, log, err, want)
	}
	checkRows(t, node, "shop", 0)
}

// What a restore is refused for.
func TestRestore_refused(t *testing.T) {
	folder := writeRows(t, 10)
	node := devnodetest.Start(t, devnode.Config{Namespaces: []string{"shop", "other"}})
	shipped := devnodetest.Start(t, devnode.Config{Namespaces: []string{"shop"}, Source: &xdrtest.Source{Address: "127.0.0.1:1"}})
	to := "aerospike://" + node.Addr()
	for name, tt := range map[string]struct {
		args []string
		err  string
	}{
		"another sink":     {[]string{"-to", to + "/shop?mode=records,log:"}, "records are restored into one sink; name only aerospike://"},
		"two namespaces":   {[]string{"-namespace", "shop", "-namespace", "other", "-to", to + "/shop?mode=records"}, "records are restored from one namespace"},
		"from":             {[]string{"-namespace", "shop", "-to", to + "/shop?mode=records&from=users"}, "-namespace shop differs from from=users in the URL"},
		"other namespace":  {[]string{"-to", to + "/other?mode=records"}, "the filter selects none of the changes in " + folder},
		"unknown":          {[]string{"-namespace", "shop", "-to", to + "/nothing?mode=records"}, "has no namespace nothing"},
		"a set":            {[]string{"-to", to + "/shop/orders?mode=records"}, "mode=records keeps the set of each record"},
		"until":            {[]string{"-until", "2026-11-01T12:00", "-to", to + "/shop?mode=records"}, "want 2026-11-22T12:00:00Z, 2026-11-22T12:00Z, 2026-11-22 or 36h"},
		"shipped to us":    {[]string{"-to", "aerospike://" + shipped.Addr() + "/shop?mode=records"}, "loop=allow"},
		"nothing before":   {[]string{"-until", "2020-01-01T12:00Z", "-to", to + "/shop?mode=records"}, "the filter selects none of the changes"},
		"no such mode":     {[]string{"-to", to + "/shop?mode=recods"}, "invalid mode=recods"},
		"unknown argument": {[]string{"-to", to + "/shop?mode=records&verions=none"}, "verions"},
	} {
		t.Run(name, func(t *testing.T) {
			out, log, err := sinkCommand(t, nil, append([]string{"replay", folder}, tt.args...)...)
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%q, %q, error %v; want %q", out, log, err, tt.err)
			}
		})
	}
	checkRows(t, node, "shop", 0)
}

// A sink of the variable SINKS gets all changes, since nobody has asked for a restore.
func TestRestore_notFromVariable(t *testing.T) {
	folder := writeRows(t, 10)
	node := devnodetest.Start(t, devnode.Config{Namespaces: []string{"shop"}})
	out, log, err := sinkCommand(t, map[string]string{"SINKS": "aerospike://" + node.Addr() + "/shop?mode=records"}, "replay", folder)
	if err != nil || out != "replayed: 1 object, 20 changes\n" {
		t.Errorf("%q, %q, error %v", out, log, err)
	}
	sets := map[string]int{}
	for partition := range change.Partitions {
		for _, c := range node.Source().Scan(nil, "shop", partition, nil, 1<<20) {
			sets[c.Set]++
		}
	}
	if diff := cmp.Diff(map[string]int{"a/b\x00é=\n": 10, "aerosink-versions": 10}, sets); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
