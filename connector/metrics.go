package connector

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts what the connector does. Those that Aerospike's Connect for ESP
// has too have its names and labels, so that dashboards made for it work; the
// others begin with aerosink_connector.
type Metrics struct {
	active, closed atomic.Int64     // ESP: XDR connections
	requests       results          // ESP: of all namespaces and sets
	seconds        *summary         // ESP
	lag            prometheus.Gauge // ESP
	payload        *summary         // ESP
	age            *summary
	dead           prometheus.Counter
	monitors       prometheus.Counter
	stale          prometheus.Counter
	framingLost    prometheus.Counter
	retired        prometheus.Counter

	places places

	registerer prometheus.Registerer
	labels     prometheus.Labels
}

// NewMetrics registers the metrics with r. Every one carries the label
// cluster_name.
func NewMetrics(r prometheus.Registerer, cluster string) *Metrics {
	const esp, ours = "aerospike_esp_outbound_", "aerosink_connector_"
	labels := prometheus.Labels{"cluster_name": cluster}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: ours + name, Help: help, ConstLabels: labels})
	}
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: esp + "requests", Help: "Change notifications answered, by status.", ConstLabels: labels,
	}, []string{"status"})
	m := &Metrics{
		seconds: newSummary(esp+"requests_total", "Seconds from a change's arrival to its reply.", labels, 1e-9),
		lag: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: esp + "requests_lag", Help: "Milliseconds from the last update time of the latest change to its arrival.", ConstLabels: labels,
		}),
		payload:     newSummary(esp+"record_payload_size", "Bytes of XDR messages.", labels, 1),
		age:         newSummary(ours+"change_age_seconds", "Seconds from the last update time of a delivered change to its reply.", labels, 1e-3),
		dead:        counter("dead_letters_total", "Changes that went to the dead letters."),
		monitors:    counter("monitor_records_total", "Records of the server's own transaction monitors, which are answered and dropped."),
		stale:       counter("stale_total", "Changes that came after a newer version of their record was sent."),
		framingLost: counter("framing_lost_total", "Connections closed because what came is no XDR."),
		retired:     counter("connections_retired_total", "Connections ended because they were older than service.connection-ttl."),
		registerer:  r,
		labels:      labels,
	}
	m.requests = results{
		delivered: requests.WithLabelValues("success"), retried: requests.WithLabelValues("error"),
		dropped: requests.WithLabelValues("skipped"), unread: requests.WithLabelValues("parse-error"),
		buried: requests.WithLabelValues("skipped"), // like ESP's own: answered with success, and not delivered
	}
	changes := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: ours + "changes_total", Help: "Changes answered, by namespace, set and verdict.", ConstLabels: labels,
	}, []string{"namespace", "set", "verdict"})
	m.places = newPlaces(changes)
	m.connections("active", &m.active)
	m.connections("closed", &m.closed)
	r.MustRegister(requests, changes, m.seconds, m.lag, m.payload, m.age, m.dead,
		m.monitors, m.stale, m.framingLost, m.retired)
	return m
}

// connections adds the XDR connections of a status. ESP has a gauge and a counter
// under one name, which therefore has no type.
func (m *Metrics) connections(status string, n *atomic.Int64) {
	m.registerer.MustRegister(prometheus.NewUntypedFunc(prometheus.UntypedOpts{
		Name: "aerospike_esp_outbound_connections", Help: "XDR connections: active are those that are open, closed all that were.",
		ConstLabels: prometheus.Labels{"cluster_name": m.labels["cluster_name"], "status": status},
	}, func() float64 { return float64(n.Load()) }))
}

func (m *Metrics) opened() { m.active.Add(1) }

func (m *Metrics) ended() {
	m.active.Add(-1)
	m.closed.Add(1)
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
	gauge("ordering_records", "Records whose newest version is known, for record-ordering.", func() float64 {
		return float64(s.order.records())
	})
}

// arrived notes a change whose metadata could be decoded.
func (m *Metrics) arrived(sl *slot, size int) {
	m.payload.observe(int64(size))
	if sl.lut > 0 {
		m.lag.Set(float64(sl.arrived.UnixMilli() - sl.lut))
	}
}

// answered counts a change with its verdict.
func (m *Metrics) answered(sl *slot, verdict error) {
	now := time.Now()
	r := resultOf(sl, verdict)
	m.requests[r].Inc()
	sl.place.results[r].Inc()
	m.seconds.observe(int64(now.Sub(sl.arrived)))
	switch {
	case sl.outcome == stale:
		m.stale.Inc()
	case r == buried:
		m.dead.Inc()
	case r == delivered && sl.lut > 0:
		m.age.observe(now.UnixMilli() - sl.lut)
	}
}
