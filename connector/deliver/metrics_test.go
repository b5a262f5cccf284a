package deliver_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/deliver"
	"github.com/aerosink/aerosink/connector/deliver/auth"
)

// samples returns the samples whose names contain part, sorted.
func samples(t *testing.T, r *prometheus.Registry, part string) []string {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			value := m.GetUntyped().GetValue() + m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			if strings.Contains(f.GetName(), part) {
				list = append(list, fmt.Sprintf("%s{%s} %v", f.GetName(), strings.Join(labels, ","), value))
			}
		}
	}
	slices.Sort(list)
	return list
}

func wantSamples(t *testing.T, r *prometheus.Registry, part string, want ...string) {
	t.Helper()
	slices.Sort(want)
	if diff := cmp.Diff(want, samples(t, r, part)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", part, diff)
	}
}

func TestMetrics_requests(t *testing.T) {
	r := prometheus.NewRegistry()
	q := newRefusingServer(t, 400)
	c := config(t, q.url, q.url+"/other") // two URLs with one host
	c.Metrics = deliver.NewMetrics(r, "cluster")
	c.Streams = 8
	d := open(t, c)
	for _, v := range sendBatch(d, "a", "b", "poison", "c") {
		v.wait(t)
	}
	c.Name, c.Queue = "full", 0
	wantError(t, send(open(t, c), alone, 0, "x").wait(t), "queue is full")

	u, _ := url.Parse(q.url)
	wantSamples(t, r, "destination_requests",
		"aerospike_esp_outbound_destination_requests{cluster_name=cluster,destination=full,destination_endpoint="+u.Host+",status=error} 0",
		"aerospike_esp_outbound_destination_requests{cluster_name=cluster,destination=full,destination_endpoint="+u.Host+",status=success} 0",
		"aerospike_esp_outbound_destination_requests{cluster_name=cluster,destination=full,destination_endpoint=,status=error} 1",
		"aerospike_esp_outbound_destination_requests{cluster_name=cluster,destination=full,destination_endpoint=,status=queued} 0",
		"aerospike_esp_outbound_destination_requests{cluster_name=cluster,destination=full,destination_endpoint=,status=success} 0",
		"aerospike_esp_outbound_destination_requests{cluster_name=cluster,destination=there,destination_endpoint="+u.Host+",status=error} 1",
		"aerospike_esp_outbound_destination_requests{cluster_name=cluster,destination=there,destination_endpoint="+u.Host+",status=success} 3",
		"aerospike_esp_outbound_destination_requests{cluster_name=cluster,destination=there,destination_endpoint=,status=error} 0",
		"aerospike_esp_outbound_destination_requests{cluster_name=cluster,destination=there,destination_endpoint=,status=queued} 0",
		"aerospike_esp_outbound_destination_requests{cluster_name=cluster,destination=there,destination_endpoint=,status=success} 0",
	)
	for part, want := range map[string]string{
		"http_responses_total":   "aerosink_connector_http_responses_total{cluster_name=cluster,destination=there,status=200} 2",
		"batch_changes":          "aerosink_connector_batch_changes{cluster_name=cluster,destination=there} 4",
		"batch_bytes":            "aerosink_connector_batch_bytes{cluster_name=cluster,destination=there} 4",
		"splits_total":           "aerosink_connector_splits_total{cluster_name=cluster,destination=there} 2",
		"concurrency_limit":      "aerosink_connector_concurrency_limit{cluster_name=cluster,destination=there} 8",
		"requests_in_flight":     "aerosink_connector_requests_in_flight{cluster_name=cluster,destination=there} 0",
		"lane_depth":             "aerosink_connector_lane_depth{cluster_name=cluster,destination=there} 0",
		"reauthorizations_total": "aerosink_connector_reauthorizations_total{cluster_name=cluster,destination=there} 0",
	} {
		if got := samples(t, r, part); !slices.Contains(got, want) {
			t.Errorf("no %s in %q", want, got)
		}
	}
}

func TestMetrics_lanesAndLimit(t *testing.T) {
	r := prometheus.NewRegistry()
	h := newBlockingServer(t)
	h.status = http.StatusTooManyRequests
	c := config(t, h.URL)
	c.Metrics = deliver.NewMetrics(r, "cluster")
	d := open(t, c)
	first := send(d, alone, 1, "x")
	<-h.arrived
	for range 5 {
		send(d, alone, 1, "x")
	}
	wantSamples(t, r, "lane_depth", "aerosink_connector_lane_depth{cluster_name=cluster,destination=there} 5")
	wantSamples(t, r, "requests_in_flight", "aerosink_connector_requests_in_flight{cluster_name=cluster,destination=there} 1")
	wantSamples(t, r, "concurrency_limit", "aerosink_connector_concurrency_limit{cluster_name=cluster,destination=there} 8")
	h.release <- struct{}{}
	wantError(t, first.wait(t), "429")
	wantSamples(t, r, "concurrency_limit", "aerosink_connector_concurrency_limit{cluster_name=cluster,destination=there} 4")
}

func TestMetrics_health(t *testing.T) {
	r := prometheus.NewRegistry()
	s := newHealthServer(t)
	c := healthConfig(t, s.url)
	c.Metrics = deliver.NewMetrics(r, "cluster")
	open(t, c)
	seen := func(status string) func() bool {
		return func() bool {
			return !slices.Contains(samples(t, r, "health_check"), "aerospike_esp_outbound_health_check{cluster_name=cluster,destination=there,status="+status+"} 0")
		}
	}
	changetest.WaitFor(t, "a successful check", seen("success"))
	s.status.Store(500)
	changetest.WaitFor(t, "a failed check", seen("error"))
}

func TestMetrics_tokens(t *testing.T) {
	r := prometheus.NewRegistry()
	newMetadataServer(t, func(n int64) (string, int) { return jwt(0, 3600e9, fmt.Sprint(n)), 200 })
	g := newTokenServer(t)
	g.want("another")
	c := config(t, g.url)
	c.Auth, c.Metrics = auth.NewGoogleIDToken(audience), deliver.NewMetrics(r, "cluster")
	d := open(t, c)
	wantSamples(t, r, "token_expiry", "aerosink_connector_token_expiry_timestamp_seconds{cluster_name=cluster,destination=there} 0")
	wantError(t, send(d, alone, 0, "x").wait(t), "401")
	wantSamples(t, r, "token_refreshes",
		"aerosink_connector_token_refreshes_total{cluster_name=cluster,destination=there,status=error} 0",
		"aerosink_connector_token_refreshes_total{cluster_name=cluster,destination=there,status=success} 2")
	wantSamples(t, r, "reauth", "aerosink_connector_reauthorizations_total{cluster_name=cluster,destination=there} 1")
	wantSamples(t, r, "responses", "aerosink_connector_http_responses_total{cluster_name=cluster,destination=there,status=401} 2")
}

// The metric is the expiry of the token that requests use now.
func TestMetrics_tokenExpiry(t *testing.T) {
	r := prometheus.NewRegistry()
	ends := time.Now().Add(time.Hour).Unix()
	newMetadataServer(t, func(int64) (string, int) {
		return jwt(0, time.Until(time.Unix(ends, 0)).Round(time.Second), "one"), 200
	})
	c := config(t, newTokenServer(t).url)
	c.Auth, c.Metrics = auth.NewGoogleIDToken(audience), deliver.NewMetrics(r, "cluster")
	if err := send(open(t, c), alone, 0, "x").wait(t); err != nil {
		t.Fatal(err)
	}
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "aerosink_connector_token_expiry_timestamp_seconds" {
			if got := int64(f.GetMetric()[0].GetGauge().GetValue()); got < ends-2 || got > ends+2 {
				t.Errorf("the token expires at %d, want %d", got, ends)
			}
			return
		}
	}
	t.Error("no metric")
}

// Unknown statuses do not create new label values.
func TestMetrics_unknownStatuses(t *testing.T) {
	r := prometheus.NewRegistry()
	s := newScriptedServer(t, func(n int64, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(600 + int(n)) })
	c := config(t, s.url)
	c.Metrics = deliver.NewMetrics(r, "cluster")
	d := open(t, c)
	for range 20 {
		wantError(t, send(d, alone, 0, "x").wait(t), "status 6")
	}
	wantSamples(t, r, "responses", "aerosink_connector_http_responses_total{cluster_name=cluster,destination=there,status=other} 20")
}
