package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/deliver/delivertest"
	"github.com/aerosink/aerosink/connector/xdr"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
)

// series holds the values of metrics by name and labels, without cluster_name and without
// zeros.
type series map[string]float64

// compared lists the metrics that must match what the source and the destinations saw.
var compared = []string{
	"aerospike_esp_outbound_requests", "aerospike_esp_outbound_destination_requests", "aerosink_connector_changes_total",
	"aerosink_connector_batch_changes_sum", "aerosink_connector_batch_changes_count", "aerosink_connector_http_responses_total",
	"aerosink_connector_dead_letters_total", "aerosink_connector_in_flight_records", "aerosink_connector_in_flight_bytes",
}

// series returns the metrics in compared.
func (b *binary) series(t *testing.T) series {
	t.Helper()
	all := series{}
	for line := range strings.Lines(get(t, b.manage+"/metrics")) {
		at := strings.LastIndexByte(line, ' ')
		name, labels, _ := strings.Cut(line[:max(at, 0)], "{")
		value, err := strconv.ParseFloat(strings.TrimSpace(line[at+1:]), 64)
		if line[0] == '#' || value == 0 && err == nil {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		labels = strings.TrimPrefix(strings.TrimPrefix(strings.TrimSuffix(labels, "}"), `cluster_name="aerosink"`), ",")
		if slices.Contains(compared, name) {
			all[name+"{"+labels+"}"] = value
		}
	}
	return all
}

// replyCounts counts the replies to a source of live, by the set of the record. The zero
// value is ready to use.
type replyCounts struct {
	mu        sync.Mutex
	ok, retry map[string]int
}

// note counts a reply; it is the Answered function of a source.
func (a *replyCounts) note(r xdrtest.Reply) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ok == nil {
		a.ok, a.retry = map[string]int{}, map[string]int{}
	}
	if r.Code == xdr.OK {
		a.ok[setOf(r.Digest)]++
	} else {
		a.retry[setOf(r.Digest)]++
	}
}

// want adds what the source and the destination saw of the changes in a set. Changes that
// are skipped get an OK reply and are not delivered.
func (s series) want(a *replyCounts, set string, delivered int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, v := range []struct {
		status, verdict string
		n               int
	}{{"success", "delivered", delivered}, {"skipped", "skipped", a.ok[set] - delivered}, {"error", "retry", a.retry[set]}} {
		s.add(v.n, `aerospike_esp_outbound_requests{status="%s"}`, v.status)
		s.add(v.n, `aerosink_connector_changes_total{namespace="test",set="%s",verdict="%s"}`, set, v.verdict)
	}
}

// wantSent adds what the ledger saw as the destination called name. Of the source's
// retries, those without a request were refused before one was made.
func (s series) wantSent(name string, l *delivertest.Ledger, retries int) {
	c := l.Counts()
	_, host, _ := strings.Cut(l.URL, "//")
	const requests = `aerospike_esp_outbound_destination_requests{destination="%s",destination_endpoint="%s",status="%s"}`
	s.add(c.Accepted, requests, name, host, "success")
	s.add(c.Shipped-c.Accepted, requests, name, host, "error")
	s.add(retries-(c.Shipped-c.Accepted), requests, name, "", "error")
	s.add(c.Shipped, `aerosink_connector_batch_changes_sum{destination="%s"}`, name)
	s.add(c.Requests, `aerosink_connector_batch_changes_count{destination="%s"}`, name)
	for status, n := range l.Answers() {
		s.add(n, `aerosink_connector_http_responses_total{destination="%s",status="%d"}`, name, status)
	}
}

func (s series) add(n int, name string, labels ...any) {
	if n != 0 {
		s[fmt.Sprintf(name, labels...)] += float64(n)
	}
}

// wantMetrics checks that the metrics match what the source and the ledgers, by the names
// of their destinations, have counted, and that nothing is in flight or queued. If there
// are several ledgers, each must have every change.
func (b *binary) wantMetrics(t *testing.T, a *replyCounts, ledgers map[string]*delivertest.Ledger) {
	t.Helper()
	want, places := series{}, map[delivertest.Place]int{}
	a.mu.Lock()
	retries := a.retry[users] + a.retry[secret]
	a.mu.Unlock()
	for name, l := range ledgers {
		want.wantSent(name, l, retries)
		places = l.Places()
	}
	for _, set := range []string{users, secret} {
		want.want(a, set, places[delivertest.Place{Namespace: "test", Set: set}])
	}
	var got series
	changetest.WaitFor(t, "nothing in flight", func() bool {
		got = b.series(t)
		return got["aerosink_connector_in_flight_records{}"] == 0
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metrics (-source and destinations +connector):\n%s", diff)
	}
}
