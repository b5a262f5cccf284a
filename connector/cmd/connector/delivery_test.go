package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/deliver/delivertest"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
	"github.com/aerosink/aerosink/testdata"
)

// Every way of configuring the walk, from the source to the ledger, and the
// metrics say just what the ledger does.
func TestBinaryModes(t *testing.T) {
	const static = "routing: {mode: static, destination: one}\n"
	for name, tt := range map[string]struct {
		protocol, config string
		connections      int
		each             int // deliveries of one change
	}{
		"json":                      {"HTTP_2", static + "format: json\n", 4, 1},
		"json in batches":           {"HTTP_2", static + "format: json\n" + batching, 4, 1},
		"flat json":                 {"HTTP_2", static + "format: {mode: flat-json, metadata-key: metadata}\n", 1, 1},
		"flat json in batches":      {"HTTP_2", static + "format: {mode: flat-json, metadata-key: metadata}\n" + batching, 64, 1},
		"HTTP/1.1":                  {"HTTP_1_1", static + "format: json\n", 4, 1},
		"HTTP/1.1 in batches":       {"HTTP_1_1", static + "format: json\n" + batching, 4, 1},
		"two destinations":          {"HTTP_2", "routing: {mode: static-multi-destination, destinations: [one, two]}\nformat: json\n" + batching, 4, 2},
		"a namespace of its own":    {"HTTP_2", "routing: {mode: skip}\nformat: json\nnamespaces: {test: {routing: {mode: static, destination: one}}}\n" + batching, 4, 1},
		"a set of its own":          {"HTTP_2", "routing: {mode: skip}\nformat: json\nnamespaces: {test: {sets: {users: {routing: {mode: static, destination: one}, batching: {max-records: 7}}}}}\n", 4, 1},
		"all but one set, HTTP/1.1": {"HTTP_1_1", static + "format: json\nnamespaces: {test: {sets: {secret: {routing: {mode: skip}}}}}\n", 4, 1},
		"XDR, which is the default": {"HTTP_2", static, 4, 1},
		"XDR in batches":            {"HTTP_2", static + "format: xdr\n" + batching, 4, 1},
		"XDR of transformed bins":   {"HTTP_2", static + "format: xdr\nbin-transforms: {exclude: {type: specified, bins: [name]}, map: {i: id}}\n" + batching, 4, 1},
		"compressed":                {"HTTP_2, compression: gzip, compression-threshold: 500", static + "format: json\n" + batching, 4, 1},
		"in order":                  {"HTTP_2", static + "format: json\nrecord-ordering: {}\n" + batching, 4, 1},
		"checked":                   {"HTTP_2, health-check: {interval-seconds: 1}, connection-ttl: 50", static + "format: json\n" + batching, 4, 1},
		"nothing":                   {"HTTP_2", "routing: {mode: skip}\n", 4, 0},
	} {
		t.Run(name, func(t *testing.T) {
			one := delivertest.New(t, nil)
			b := startBinary(t, 0, fmt.Sprintf("destinations: {one: {urls: [%[1]q], protocol: %[2]s, call-timeout: 8s}, two: {urls: [%[1]q], protocol: %[2]s, call-timeout: 8s}}\n", one.URL, tt.protocol)+tt.config)
			s := &xdrtest.Source{Address: b.xdr, Connections: tt.connections}
			ship(t, s)
			live(s, 400)
			settle(t, s)
			success, skipped, counts := b.answered(t, "success"), b.answered(t, "skipped"), one.Counts()
			if success*tt.each != counts.Accepted || success+skipped != s.Stats().Success || (tt.each == 0) != (skipped > 0) {
				t.Errorf("the metrics say %d delivered and %d skipped, the ledger %+v, the source %s", success, skipped, counts, s.Stats())
			}
			if batched := strings.Contains(tt.config, "batching"); !batched && counts.Largest > 1 {
				t.Errorf("%d changes in one request", counts.Largest)
			}
			if tt.each > 0 {
				wantNewest(t, s, one)
			}
			if proto := map[bool]string{true: "HTTP/2.0", false: "HTTP/1.1"}[strings.HasPrefix(tt.protocol, "HTTP_2")]; one.Protocols()[proto] != counts.Requests {
				t.Errorf("requests over %v, want %d over %s", one.Protocols(), counts.Requests, proto)
			}
			b.terminate(t)
		})
	}
}

// However the destination fails, everything arrives in the end, and what the
// metrics count as delivered is what the ledger has.
func TestBinaryFaults(t *testing.T) {
	for name, tt := range map[string]struct {
		faults []delivertest.Fault
		more   string
		lost   bool // answers may be, of what was accepted
	}{
		"statuses":    {[]delivertest.Fault{delivertest.Status500, delivertest.Busy, delivertest.Timeout}, "", false},
		"half":        {[]delivertest.Fault{delivertest.Half}, "", false},
		"reset":       {[]delivertest.Fault{delivertest.Reset}, "", false},
		"go away":     {[]delivertest.Fault{delivertest.GoAway, delivertest.Busy, delivertest.Half, delivertest.Status500}, "", false},
		"hang":        {[]delivertest.Fault{delivertest.Hang}, ", call-timeout: 300ms", true},
		"dribble":     {[]delivertest.Fault{delivertest.Dribble}, ", call-timeout: 300ms", true},
		"close":       {[]delivertest.Fault{delivertest.Close}, "", true},
		"HTTP/1.1":    {[]delivertest.Fault{delivertest.Reset, delivertest.Close, delivertest.Half, delivertest.GoAway}, ", protocol: HTTP_1_1, max-connections-per-endpoint: 8", true},
		"one of each": {[]delivertest.Fault{delivertest.Reset, delivertest.Half, delivertest.Close, delivertest.Busy, delivertest.GoAway, delivertest.Hang}, ", call-timeout: 300ms", true},
	} {
		t.Run(name, func(t *testing.T) {
			l := delivertest.New(t, delivertest.Mixed(5, tt.faults...))
			config := forward(l.URL, tt.more)
			if strings.Contains(tt.more, "call-timeout") {
				config = strings.Replace(config, "call-timeout: 8s, ", "", 1)
			}
			b := startBinary(t, 0, config+"batching: {max-records: 10}\n") // so that there are requests enough to fail
			s := &xdrtest.Source{Address: b.xdr, Connections: 4, RetryAfter: 5 * time.Millisecond}
			ship(t, s)
			live(s, 400)
			settle(t, s)
			wantNewest(t, s, l)
			success, failed, counts, stats := b.answered(t, "success"), b.answered(t, "error"), l.Counts(), s.Stats()
			if success > counts.Accepted || !tt.lost && success != counts.Accepted {
				t.Errorf("the metrics say %d delivered, the ledger %+v", success, counts)
			}
			if success != stats.Success || failed != stats.RetryDest || failed == 0 {
				t.Errorf("the metrics say %d delivered and %d failed, the source %s", success, failed, stats)
			}
			b.terminate(t)
		})
	}
}

// malformed returns the vectors that no node sends, by whether they end the
// connection.
func malformed(t *testing.T) (framing, messages [][]byte) {
	t.Helper()
	vectors, err := xdrtest.ReadVectors(bytes.NewReader(testdata.XDR))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range vectors {
		message, err := v.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case v.Valid || v.Name == "bad-incomplete-body":
		case strings.Contains(v.Action, "close"):
			framing = append(framing, message)
		default:
			messages = append(messages, message)
		}
	}
	if len(framing) < 4 || len(messages) < 10 {
		t.Fatalf("%d and %d vectors", len(framing), len(messages))
	}
	return framing, messages
}

// Whatever happens on the XDR connections, everything arrives.
func TestBinaryMischief(t *testing.T) {
	framing, messages := malformed(t)
	for name, s := range map[string]*xdrtest.Source{
		"in pieces":                 {Connections: 4, Mischief: xdrtest.Mischief{Seed: 1, Split: true}},
		"64 connections, in pieces": {Connections: 64, Mischief: xdrtest.Mischief{Seed: 2, Split: true}},
		"again":                     {Connections: 1, Mischief: xdrtest.Mischief{Seed: 3, Again: 0.3}},
		"older after newer":         {Connections: 4, Mischief: xdrtest.Mischief{Seed: 4, Stale: 0.5}},
		"broken":                    {Connections: 4, Window: 50, Mischief: xdrtest.Mischief{Seed: 5, Cut: 0.1}},
		"malformed messages":        {Connections: 4, Mischief: xdrtest.Mischief{Seed: 6, Malformed: messages, MalformedShare: 0.2}},
		"lost framing":              {Connections: 4, Mischief: xdrtest.Mischief{Seed: 7, Malformed: framing, MalformedShare: 0.05}},
		"as connector of a cluster": {Connections: 4, Policy: xdrtest.Policy{Compress: true, SourceID: 7, HideKeys: true, Bins: xdrtest.OnlyChanged, BinLUTs: true}},
	} {
		t.Run(name, func(t *testing.T) {
			l := delivertest.New(t, nil)
			b := startBinary(t, 0, forward(l.URL, "")+batching)
			s.Address, s.RetryAfter = b.xdr, 5*time.Millisecond
			ship(t, s)
			live(s, 400)
			settle(t, s)
			s.Rewind()
			settle(t, s)
			wantNewest(t, s, l)
			success, parse, stats := b.answered(t, "success"), b.answered(t, "parse-error"), s.Stats()
			if success != l.Counts().Accepted || parse < stats.Injected || stats.RetryConnReset == 0 && (parse != stats.Injected || success != stats.Success) {
				t.Errorf("the metrics say %d delivered and %d unreadable, the ledger %+v, the source %+v", success, parse, l.Counts(), stats)
			}
			if lost := b.metric(t, `aerosink_connector_framing_lost_total{cluster_name="aerosink"}`); (lost > 0) != (name == "lost framing") {
				t.Errorf("framing was lost %v times", lost)
			}
			b.terminate(t)
		})
	}
}
