package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/deliver/delivertest"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
	"github.com/aerosink/aerosink/testdata"
)

// Whatever errors the destination has, every change arrives in the end. Where no response
// can be lost, the metrics count what the source and the destination have seen.
func TestBinary_destinationErrors(t *testing.T) {
	for name, tt := range map[string]struct {
		faults []delivertest.Fault
		more   string
		lost   bool // responses to accepted requests may be lost
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
			b := startBinary(t, 0, config+"batching: {max-records: 10}\n") // so that there are enough requests to fail
			var a replyCounts
			s := &xdrtest.Source{Address: b.xdr, Connections: 4, RetryAfter: 5 * time.Millisecond, Answered: a.note}
			ship(t, s)
			live(s, 400)
			settle(t, s)
			wantNewest(t, s, l)
			if !tt.lost {
				b.wantMetrics(t, &a, map[string]*delivertest.Ledger{"there": l})
			}
			success, failed, counts, stats := b.answered(t, "success"), b.answered(t, "error"), l.Counts(), s.Stats()
			if success > counts.Accepted || success != stats.Success || failed != stats.RetryDest || failed == 0 {
				t.Errorf("metrics: %d delivered and %d failed; ledger: %+v; source: %s", success, failed, counts, stats)
			}
			b.terminate(t)
		})
	}
}

// malformed returns the vectors that no node sends: those that end the connection, and
// those that get a reply.
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

// Whatever happens on the XDR connections, every change arrives.
func TestBinary_connectionErrors(t *testing.T) {
	framing, messages := malformed(t)
	for name, s := range map[string]*xdrtest.Source{
		"in pieces":                 {Connections: 4, Faults: xdrtest.Faults{Seed: 1, Split: true}},
		"64 connections, in pieces": {Connections: 64, Faults: xdrtest.Faults{Seed: 2, Split: true}},
		"repeated":                  {Connections: 1, Faults: xdrtest.Faults{Seed: 3, Again: 0.3}},
		"older after newer":         {Connections: 4, Faults: xdrtest.Faults{Seed: 4, Stale: 0.5}},
		"broken connections":        {Connections: 4, Window: 50, Faults: xdrtest.Faults{Seed: 5, Cut: 0.1}},
		"malformed messages":        {Connections: 4, Faults: xdrtest.Faults{Seed: 6, Malformed: messages, MalformedShare: 0.2}},
		"lost framing":              {Connections: 4, Faults: xdrtest.Faults{Seed: 7, Malformed: framing, MalformedShare: 0.05}},
		"every shipping policy":     {Connections: 4, Policy: xdrtest.Policy{Compress: true, SourceID: 7, HideKeys: true, Bins: xdrtest.OnlyChanged, BinLUTs: true}},
	} {
		t.Run(name, func(t *testing.T) {
			l := delivertest.New(t, nil)
			b := startBinary(t, 0, forward(l.URL, "")+batching)
			s.Address, s.RetryAfter = b.xdr, 5*time.Millisecond
			ship(t, s)
			live(s, 400)
			settle(t, s)
			s.Rewind("test")
			settle(t, s)
			wantNewest(t, s, l)
			success, parse, stats := b.answered(t, "success"), b.answered(t, "parse-error"), s.Stats()
			if success != l.Counts().Accepted || parse < stats.Injected || stats.RetryConnReset == 0 && (parse != stats.Injected || success != stats.Success) {
				t.Errorf("metrics: %d delivered and %d malformed; ledger: %+v; source: %+v", success, parse, l.Counts(), stats)
			}
			if lost := b.metric(t, `aerosink_connector_framing_lost_total{cluster_name="aerosink"}`); (lost > 0) != (name == "lost framing") {
				t.Errorf("framing was lost %v times", lost)
			}
			b.terminate(t)
		})
	}
}
