package connector

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aerosink/aerosink/connector/change"
)

// Metrics counts what the connector does. Those that Aerospike's Connect for ESP
// has too have its names and labels, so that dashboards made for it work; the
// others begin with aerosink_connector.
type Metrics struct {
	connections *prometheus.CounterVec // ESP: status is active or closed
	requests    *prometheus.CounterVec // ESP: status is success, error, skipped or parse-error
	seconds     prometheus.Summary     // ESP
	lag         prometheus.Gauge       // ESP
	payload     prometheus.Summary     // ESP
	framingLost prometheus.Counter

	registerer prometheus.Registerer
	labels     prometheus.Labels
}

// quantiles are those of ESP's summaries, with the error allowed.
var quantiles = map[float64]float64{0.5: 0.05, 0.75: 0.03, 0.95: 0.01, 0.98: 0.005, 0.99: 0.001, 0.999: 0.0001}

// NewMetrics registers the metrics with r. Every one carries the label
// cluster_name.
func NewMetrics(r prometheus.Registerer, cluster string) *Metrics {
	const esp = "aerospike_esp_outbound_"
	labels := prometheus.Labels{"cluster_name": cluster}
	m := &Metrics{
		connections: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: esp + "connections", Help: "XDR connections, by status: active counts those opened, closed those closed.", ConstLabels: labels,
		}, []string{"status"}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: esp + "requests", Help: "Change notifications answered, by status.", ConstLabels: labels,
		}, []string{"status"}),
		seconds: prometheus.NewSummary(prometheus.SummaryOpts{
			Name: esp + "requests_total", Help: "Seconds from a change's arrival to its reply.", ConstLabels: labels, Objectives: quantiles,
		}),
		lag: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: esp + "requests_lag", Help: "Milliseconds from the last update time of the latest change to its arrival.", ConstLabels: labels,
		}),
		payload: prometheus.NewSummary(prometheus.SummaryOpts{
			Name: esp + "record_payload_size", Help: "Bytes of XDR messages.", ConstLabels: labels, Objectives: quantiles,
		}),
		framingLost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "aerosink_connector_framing_lost_total", Help: "Connections closed because what came is no XDR.", ConstLabels: labels,
		}),
		registerer: r,
		labels:     labels,
	}
	r.MustRegister(m.connections, m.requests, m.seconds, m.lag, m.payload, m.framingLost)
	return m
}

// watch adds what is read from a server when someone asks.
func (m *Metrics) watch(s *Server) {
	gauge := func(name, help string, value func() float64) {
		m.registerer.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "aerosink_connector_" + name, Help: help, ConstLabels: m.labels,
		}, value))
	}
	gauge("ready", "1 while XDR connections are accepted.", func() float64 {
		if s.ready.Load() {
			return 1
		}
		return 0
	})
	gauge("in_flight_records", "Changes between their arrival and their reply.", func() float64 {
		records, _ := s.bounds.inFlight()
		return float64(records)
	})
	gauge("in_flight_bytes", "Bytes that those changes take up, as they came and as they are sent.", func() float64 {
		_, bytes := s.bounds.inFlight()
		return float64(bytes)
	})
}

func (m *Metrics) opened() { m.connections.WithLabelValues("active").Inc() }
func (m *Metrics) closed() { m.connections.WithLabelValues("closed").Inc() }

// arrived notes a change that could be decoded.
func (m *Metrics) arrived(c *change.Change, at time.Time, size int) {
	m.payload.Observe(float64(size))
	if c.LUT > 0 {
		m.lag.Set(float64(at.UnixMilli() - c.LUT))
	}
}

// answered counts a change with its verdict.
func (m *Metrics) answered(sl *slot, verdict error) {
	m.requests.WithLabelValues(statusOf(sl, verdict)).Inc()
	m.seconds.Observe(time.Since(sl.arrived).Seconds())
}

// statusOf returns the value of ESP's label.
func statusOf(sl *slot, verdict error) string {
	switch {
	case sl.outcome == malformed:
		return "parse-error"
	case sl.outcome == skipped:
		return "skipped"
	case verdict != nil:
		return "error"
	}
	return "success"
}
