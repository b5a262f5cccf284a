package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/deliver/delivertest"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/avro"
	"github.com/aerosink/aerosink/connector/format/formats"
	"github.com/aerosink/aerosink/connector/xdr"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
)

// static sends everything to the destination one.
const static = "routing: {mode: static, destination: one}\n"

// Schemas for the records of live.
const (
	mapSchema    = `{"type":"map","values":["null","boolean","long","string",{"type":"map","values":["null","boolean","long","string","bytes"]}]}`
	recordSchema = `{"type":"record","name":"User","fields":[{"name":"metadata","type":{"type":"map","values":["null","boolean","long","string","bytes"]}},` +
		`{"name":"i","type":["null","long"],"default":null},{"name":"name","type":["null","string"],"default":null}]}`
)

// With each kind of configuration, every change arrives, and the metrics match what the
// source and the destinations have seen.
func TestBinary_configurations(t *testing.T) {
	for name, tt := range map[string]struct {
		protocol, config string
		connections      int
		destinations     string // names of those that get the changes
		skipped          string // a set that is not delivered
		schema           string
	}{
		"json":                     {"HTTP_2", static + "format: json\n", 4, "one", "", ""},
		"json in batches":          {"HTTP_2", static + "format: json\n" + batching, 4, "one", "", ""},
		"json over 64 connections": {"HTTP_2", static + "format: json\nbatching: {max-records: 1}\n", 64, "one", "", ""},
		"flat json":                {"HTTP_2", static + "format: {mode: flat-json, metadata-key: metadata}\n", 1, "one", "", ""},
		"flat json in batches":     {"HTTP_2", static + "format: {mode: flat-json, metadata-key: metadata}\n" + batching, 64, "one", "", ""},
		"message pack":             {"HTTP_2", static + "format: message-pack\n", 4, "one", "", ""},
		"message pack in batches":  {"HTTP_2", static + "format: message-pack\n" + batching, 4, "one", "", ""},
		"avro, map":                {"HTTP_2", static + "format: {mode: avro, schema: '" + mapSchema + "'}\n", 4, "one", "", mapSchema},
		"avro, map, in batches":    {"HTTP_2", static + "format: {mode: avro, schema: '" + mapSchema + "'}\n" + batching, 4, "one", "", mapSchema},
		"avro, record":             {"HTTP_2", static + "format: {mode: avro, schema: '" + recordSchema + "'}\n", 4, "one", "", recordSchema},
		"avro, record, in batches": {"HTTP_2", static + "format: {mode: avro, schema: '" + recordSchema + "'}\n" + batching, 4, "one", "", recordSchema},
		"HTTP/1.1":                 {"HTTP_1_1", static + "format: json\n", 4, "one", "", ""},
		"HTTP/1.1 in batches":      {"HTTP_1_1", static + "format: json\n" + batching, 4, "one", "", ""},
		"two destinations":         {"HTTP_2", "routing: {mode: static-multi-destination, destinations: [one, two]}\nformat: json\n" + batching, 4, "one two", "", ""},
		"routing of a namespace":   {"HTTP_2", "routing: {mode: skip}\nformat: json\nnamespaces: {test: {routing: {mode: static, destination: one}}}\n" + batching, 4, "one", "", ""},
		"routing of a set":         {"HTTP_2", "routing: {mode: skip}\nformat: json\nnamespaces: {test: {sets: {users: {routing: {mode: static, destination: two}, batching: {max-records: 7}}}}}\n", 4, "two", secret, ""},
		"a skipped set":            {"HTTP_1_1", static + "format: json\nnamespaces: {test: {sets: {secret: {routing: {mode: skip}}}}}\n", 4, "one", secret, ""},
		"XDR, the default":         {"HTTP_2", static, 4, "one", "", ""},
		"XDR in batches":           {"HTTP_2", static + "format: xdr\n" + batching, 4, "one", "", ""},
		"XDR with transforms":      {"HTTP_2", static + "format: xdr\nbin-transforms: {exclude: {type: specified, bins: [name]}, map: {i: id}}\n" + batching, 4, "one", "", ""},
		"compressed":               {"HTTP_2, compression: gzip, compression-threshold: 500", static + "format: json\n" + batching, 4, "one", "", ""},
		"record ordering":          {"HTTP_2", static + "format: json\nrecord-ordering: {}\n" + batching, 4, "one", "", ""},
		"health checks":            {"HTTP_2, health-check: {interval-seconds: 1}, connection-ttl: 50", static + "format: json\n" + batching, 4, "one", "", ""},
		"everything skipped":       {"HTTP_2", "routing: {mode: skip}\n", 4, "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var o delivertest.Options
			if tt.schema != "" {
				o.Parser.Avro = newAvro(t, tt.schema)
			}
			ledgers, config := map[string]*delivertest.Ledger{}, "destinations:\n"
			for _, name := range []string{"one", "two"} {
				ledgers[name] = delivertest.Open(t, o)
				config += fmt.Sprintf("  %s: {urls: [%q], protocol: %s, call-timeout: 8s}\n", name, ledgers[name].URL, tt.protocol)
			}
			b := startBinary(t, 0, config+tt.config)
			var a replyCounts
			s := &xdrtest.Source{Address: b.xdr, Connections: tt.connections, Answered: a.note}
			ship(t, s)
			live(s, 400)
			settle(t, s)
			proto := map[bool]string{true: "HTTP/2.0", false: "HTTP/1.1"}[strings.HasPrefix(tt.protocol, "HTTP_2")]
			for name, l := range ledgers {
				if !strings.Contains(tt.destinations, name) {
					delete(ledgers, name)
					if c := l.Counts(); c.Requests > 0 {
						t.Errorf("%d requests to %s", c.Requests, name)
					}
					continue
				}
				if strings.Contains(tt.config, "message-pack") {
					wantNewestBare(t, s, l)
				} else {
					wantNewest(t, s, l, tt.skipped)
				}
				if batched := strings.Contains(tt.config, "batching"); !batched && l.Counts().Largest > 1 {
					t.Errorf("%d changes in one request", l.Counts().Largest)
				}
				if l.Protocols()[proto] != l.Counts().Requests {
					t.Errorf("requests over %v, want %d over %s", l.Protocols(), l.Counts().Requests, proto)
				}
			}
			b.wantMetrics(t, &a, ledgers)
			b.terminate(t)
		})
	}
}

// wantNewestBare is like wantNewest for MessagePack, whose deletes have neither generation
// nor time.
func wantNewestBare(t *testing.T, s *xdrtest.Source, l *delivertest.Ledger) {
	t.Helper()
	want, got := s.Newest("test"), l.Newest()
	for d, v := range want {
		if !v.Op.IsDelete() {
			continue
		}
		if !l.Has(xdrtest.Version{Digest: d, Op: v.Op}) {
			t.Errorf("the delete of record %s is not at the destination", d)
		}
		delete(want, d)
		delete(got, d)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the newest versions (-source +destination):\n%s", diff)
	}
}

func newAvro(t *testing.T, schema string) *avro.Format {
	t.Helper()
	f, err := avro.New(schema, "metadata", true)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// A destination gets the bins that the source's policy and the transforms select, as the
// transforms rename them.
func TestBinary_bins(t *testing.T) {
	for name, tt := range map[string]struct {
		config string
		policy xdrtest.Policy
		check  func(p *format.Parsed) bool
	}{
		"transformed": {
			"format: {mode: flat-json, metadata-key: metadata}\nbin-transforms: {exclude: {type: specified, bins: [name]}, transforms: [uppercase, {regex: {pattern: \"^\", replacement: \"B_\"}}]}\n",
			xdrtest.Policy{}, func(p *format.Parsed) bool { return len(p.Change.Bins) == 1 && p.Change.Bins[0].Name == "B_I" },
		},
		"renamed": {
			"format: {mode: flat-json, metadata-key: metadata}\nbin-transforms: {map: {i: id}}\n",
			xdrtest.Policy{}, func(p *format.Parsed) bool { return len(p.Change.Bins) == 2 && p.Change.Bins[0].Name == "id" },
		},
		"no bins": {
			"format: json\n", xdrtest.Policy{Bins: xdrtest.NoBins}, func(p *format.Parsed) bool { return len(p.Change.Bins) == 0 },
		},
		"compressed XDR, as XDR": { // a compressed message has type 4
			"format: xdr\n", xdrtest.Policy{Compress: true}, func(p *format.Parsed) bool { return p.Data[0] == 2 && p.Data[1] == 3 && len(p.Change.Bins) == 2 },
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := delivertest.Options{Parser: formats.Parser{Bins: true}}
			o.Inspect = func(_ *http.Request, changes []format.Parsed) {
				for _, p := range changes {
					if !p.Change.Op.IsDelete() && !tt.check(&p) {
						t.Errorf("%d bins were sent: %x", len(p.Change.Bins), p.Data)
					}
				}
			}
			l := delivertest.Open(t, o)
			config := fmt.Sprintf("destinations: {one: {urls: [%q], call-timeout: 8s}}\n", l.URL) + static + batching + tt.config
			b := startBinary(t, 0, config)
			var a replyCounts
			s := &xdrtest.Source{Address: b.xdr, Connections: 4, Policy: tt.policy, Answered: a.note}
			ship(t, s)
			live(s, 400)
			settle(t, s)
			wantNewest(t, s, l)
			b.wantMetrics(t, &a, map[string]*delivertest.Ledger{"one": l})
			b.terminate(t)
		})
	}
}

// Deletes by the namespace supervisor, which a data centre can ask for, arrive like other
// deletes.
func TestBinary_supervisorDeletes(t *testing.T) {
	l := delivertest.New(t, nil)
	b := startBinary(t, 0, forward(l.URL, "")+batching)
	s := &xdrtest.Source{Address: b.xdr, Connections: 4, Policy: xdrtest.Policy{SupervisorDeletes: true}}
	ship(t, s)
	live(s, 400)
	settle(t, s)
	for i := range 50 {
		s.Expire("test", digest(300+i))
	}
	settle(t, s)
	wantNewest(t, s, l)
	if v := l.Newest()[digest(349)]; v.Op != change.Delete || v.Generation != 2 {
		t.Errorf("an expired record: %+v", v)
	}
	b.terminate(t)
}

// Monitor records, which the server writes for transactions, are acknowledged, counted and
// not delivered.
func TestBinary_monitorRecords(t *testing.T) {
	l := delivertest.New(t, nil)
	b := startBinary(t, 0, forward(l.URL, "")+batching)
	s := &xdrtest.Source{Address: b.xdr}
	ship(t, s)
	s.Write(user(users, 0))
	for i := range 20 {
		s.Write(user(xdr.MonitorSet, 1+i))
	}
	settle(t, s)
	monitors, skipped := b.metric(t, `aerosink_connector_monitor_records_total{cluster_name="aerosink"}`), b.answered(t, "skipped")
	if accepted := l.Counts().Accepted; accepted != 1 || monitors != 20 || skipped != 20 {
		t.Errorf("%d changes delivered, %v monitor records counted, %d skipped", accepted, monitors, skipped)
	}
	b.terminate(t)
}
