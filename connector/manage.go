package connector

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
)

// Manage returns the handler of the manage port: health, readiness, and the metrics of g
// under Prometheus' usual path and under ESP's.
func (s *Server) Manage(g prometheus.Gatherer) http.Handler {
	metrics := promhttp.HandlerFor(g, promhttp.HandlerOpts{})
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	mux.Handle("GET /manage/rest/v1/prometheus", metrics)
	mux.Handle("GET /manage/rest/v1/metrics", jsonMetrics{g})
	alive := func(http.ResponseWriter, *http.Request) {}
	mux.HandleFunc("GET /healthz", alive)
	mux.HandleFunc("GET /manage/rest/v1", alive)
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !s.ready.Load() {
			http.Error(w, "not accepting XDR connections", http.StatusServiceUnavailable)
		}
	})
	return mux
}

// jsonMetrics serves metrics as one JSON object with a member for each name:
//
//	{"aerospike_esp_outbound_requests":[{"labels":{"status":"success"},"value":3}],
//	 "aerospike_esp_outbound_requests_total":[{"labels":{},"count":3,"sum":0.5,"quantiles":{"0.5":0.1}}]}
//
// A value that is not a number, such as a quantile without observations, is null.
type jsonMetrics struct{ prometheus.Gatherer }

func (j jsonMetrics) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	families, err := j.Gather()
	if err != nil {
		http.Error(w, fmt.Sprintf("gather metrics: %v", err), http.StatusInternalServerError)
		return
	}
	document := map[string][]jsonMetric{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			document[f.GetName()] = append(document[f.GetName()], jsonMetricOf(m))
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(document) // fails only if the client is gone
}

type jsonMetric struct {
	Labels    map[string]string     `json:"labels"`
	Value     *jsonNumber           `json:"value,omitempty"`
	Count     *uint64               `json:"count,omitempty"`
	Sum       *jsonNumber           `json:"sum,omitempty"`
	Quantiles map[string]jsonNumber `json:"quantiles,omitempty"`
	Buckets   map[string]uint64     `json:"buckets,omitempty"` // cumulative, by upper bound
}

// jsonNumber is a number, null if it is not finite.
type jsonNumber float64

func (n jsonNumber) MarshalJSON() ([]byte, error) {
	if f := float64(n); !math.IsNaN(f) && !math.IsInf(f, 0) {
		return json.Marshal(f)
	}
	return []byte("null"), nil
}

func jsonMetricOf(m *dto.Metric) jsonMetric {
	j := jsonMetric{Labels: map[string]string{}}
	for _, l := range m.GetLabel() {
		j.Labels[l.GetName()] = l.GetValue()
	}
	value := func(f float64) { j.Value = (*jsonNumber)(&f) }
	switch {
	case m.Counter != nil:
		value(m.GetCounter().GetValue())
	case m.Gauge != nil:
		value(m.GetGauge().GetValue())
	case m.Untyped != nil:
		value(m.GetUntyped().GetValue())
	case m.Summary != nil:
		j.sums(m.GetSummary().GetSampleCount(), m.GetSummary().GetSampleSum())
		j.Quantiles = map[string]jsonNumber{}
		for _, q := range m.GetSummary().GetQuantile() {
			j.Quantiles[bound(q.GetQuantile())] = jsonNumber(q.GetValue())
		}
	case m.Histogram != nil:
		j.sums(m.GetHistogram().GetSampleCount(), m.GetHistogram().GetSampleSum())
		j.Buckets = map[string]uint64{}
		for _, b := range m.GetHistogram().GetBucket() {
			j.Buckets[bound(b.GetUpperBound())] = b.GetCumulativeCount()
		}
	}
	return j
}

func (j *jsonMetric) sums(count uint64, sum float64) {
	j.Count, j.Sum = &count, (*jsonNumber)(&sum)
}

// bound writes f as a plain decimal.
func bound(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
