package connector

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the connector's metrics. Those that Aerospike Connect for ESP also has use
// its names and labels, so that its dashboards work; the others begin with
// aerosink_connector.
type Metrics struct {
	active, closed atomic.Int64     // ESP: XDR connections
	requests       resultCounters   // ESP: of all namespaces and sets
	seconds        *summary         // ESP
	lag            prometheus.Gauge // ESP
	payload        *summary         // ESP
	age            *summary
	dead           prometheus.Counter
	monitors       prometheus.Counter
	stale          prometheus.Counter
	framingLost    prometheus.Counter
	retired        prometheus.Counter
	refused        prometheus.Counter

	sets setCounterMap

	registerer prometheus.Registerer
	labels     prometheus.Labels
}

// NewMetrics registers the metrics with r. All of them have the label cluster_name.
func NewMetrics(r prometheus.Registerer, cluster string) *Metrics {
	const esp, prefix = "aerospike_esp_outbound_", "aerosink_connector_"
	labels := prometheus.Labels{"cluster_name": cluster}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: prefix + name, Help: help, ConstLabels: labels})
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
		age:         newSummary(prefix+"change_age_seconds", "Seconds from the last update time of a delivered change to its reply.", labels, 1e-3),
		dead:        counter("dead_letters_total", "Changes that went to the dead letters."),
		monitors:    counter("monitor_records_total", "Records of the server's own transaction monitors, which are answered and dropped."),
		stale:       counter("stale_total", "Changes that came after a newer version of their record was sent."),
		framingLost: counter("framing_lost_total", "Connections closed because the stream was not XDR."),
		retired:     counter("connections_retired_total", "Connections ended because they were older than service.connection-ttl."),
		refused:     counter("connections_refused_total", "Connections closed at once because service.allow does not have their source."),
		registerer:  r,
		labels:      labels,
	}
	m.requests = resultCounters{
		resultDelivered: requests.WithLabelValues("success"), resultRetry: requests.WithLabelValues("error"),
		resultSkipped: requests.WithLabelValues("skipped"), resultMalformed: requests.WithLabelValues("parse-error"),
		resultDead: requests.WithLabelValues("skipped"), // as ESP does: answered with success, but not delivered
	}
	changes := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: prefix + "changes_total", Help: "Changes answered, by namespace, set and verdict.", ConstLabels: labels,
	}, []string{"namespace", "set", "verdict"})
	m.sets = newSetCounterMap(changes)
	m.connections("active", &m.active)
	m.connections("closed", &m.closed)
	r.MustRegister(requests, changes, m.seconds, m.lag, m.payload, m.age, m.dead,
		m.monitors, m.stale, m.framingLost, m.retired, m.refused)
	return m
}

// connections registers the number of XDR connections with a status. It is untyped, because
// ESP uses one name for a gauge and a counter.
func (m *Metrics) connections(status string, n *atomic.Int64) {
	m.registerer.MustRegister(prometheus.NewUntypedFunc(prometheus.UntypedOpts{
		Name: "aerospike_esp_outbound_connections", Help: "XDR connections: active are those that are open, closed all that were.",
		ConstLabels: prometheus.Labels{"cluster_name": m.labels["cluster_name"], "status": status},
	}, func() float64 { return float64(n.Load()) }))
}

// Certificates registers metrics of when certificates expire, and when they were loaded. Both
// functions return times by section of the configuration. They are called on each collection,
// since a certificate may be replaced.
func (m *Metrics) Certificates(expiries, loaded func() map[string]time.Time) {
	times := func(name, help string, of func() map[string]time.Time) {
		desc := prometheus.NewDesc("aerosink_connector_certificate_"+name+"_timestamp_seconds", help, []string{"section"}, m.labels)
		m.registerer.MustRegister(sectionTimes{desc, of})
	}
	times("expiry", "When a certificate that is shown to peers expires, in Unix seconds.", expiries)
	times("loaded", "When the files of certificates and keys were last loaded, in Unix seconds.", loaded)
}

func (m *Metrics) opened() { m.active.Add(1) }

func (m *Metrics) ended() {
	m.active.Add(-1)
	m.closed.Add(1)
}

// watch registers the metrics that are read from s when they are collected.
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
		records, _ := s.inFlight.now()
		return float64(records)
	})
	gauge("in_flight_bytes", "Bytes that those changes take up, as they came and as they are sent.", func() float64 {
		_, bytes := s.inFlight.now()
		return float64(bytes)
	})
	gauge("ordering_records", "Records whose newest version is known, for record-ordering.", func() float64 {
		return float64(s.ports.orderedRecords())
	})
}

// arrived counts a change whose metadata could be decoded.
func (m *Metrics) arrived(sl *slot, size int) {
	m.payload.observe(int64(size))
	if sl.lut > 0 {
		m.lag.Set(float64(max(sl.arrived.UnixMilli()-sl.lut, 0))) // the database's clock may be ahead
	}
}

// replied counts a change whose reply is being written.
func (m *Metrics) replied(sl *slot, verdict error) {
	now := time.Now()
	r := resultOf(sl, verdict)
	sl.counters.results[r].Inc()
	if sl.outcome == malformed { // for ESP also if it became a dead letter
		m.requests[resultMalformed].Inc()
	} else {
		m.requests[r].Inc()
	}
	m.seconds.observe(int64(now.Sub(sl.arrived)))
	switch {
	case sl.outcome == stale:
		m.stale.Inc()
	case r == resultDead:
		m.dead.Inc()
	case r == resultDelivered && sl.lut > 0:
		m.age.observe(now.UnixMilli() - sl.lut)
	}
}

// result is how a change ended.
type result int

const (
	resultDelivered result = iota // to all its destinations
	resultRetry                   // to be shipped again
	resultSkipped                 // on purpose: by routing, because it is stale, or because it is the server's own record
	resultMalformed               // to be shipped again, because it could not be decoded or was too large
	resultDead                    // stored as a dead letter
	numResults
)

var resultNames = [numResults]string{"delivered", "retry", "skipped", "malformed", "dead"}

func resultOf(sl *slot, verdict error) result {
	switch {
	case verdict == nil && sl.deadLetter != nil:
		return resultDead
	case sl.outcome == malformed:
		return resultMalformed
	case verdict != nil:
		return resultRetry
	case sl.outcome == sent:
		return resultDelivered
	}
	return resultSkipped
}

// resultCounters count changes by result.
type resultCounters [numResults]prometheus.Counter

// setCounters count the changes of a set.
type setCounters struct {
	namespace, set string
	results        resultCounters
}

// setCounterMap has the counters of all sets.
type setCounterMap struct {
	changes *prometheus.CounterVec
	unknown *setCounters // of messages whose namespace could not be read

	mu    *sync.Mutex
	named map[[2]string]*setCounters
}

// maxSets is how many sets are counted by name. It bounds the number of series, since a
// database may have thousands of sets.
const maxSets = 200

// otherSets is the namespace and set of the sets that are not counted by name.
const otherSets = "(other)"

func newSetCounterMap(changes *prometheus.CounterVec) setCounterMap {
	p := setCounterMap{changes: changes, mu: new(sync.Mutex), named: map[[2]string]*setCounters{}}
	p.unknown = &setCounters{results: p.results("", "")}
	return p
}

// of returns the counters of a set.
func (p *setCounterMap) of(namespace, set string) *setCounters {
	p.mu.Lock()
	defer p.mu.Unlock()
	names := [2]string{namespace, set}
	switch known := p.named[names]; {
	case known != nil:
		return known
	case len(p.named) >= maxSets:
		return &setCounters{namespace, set, p.results(otherSets, otherSets)}
	}
	p.named[names] = &setCounters{namespace, set, p.results(namespace, set)}
	return p.named[names]
}

func (p *setCounterMap) results(namespace, set string) (r resultCounters) {
	for i, name := range resultNames {
		r[i] = p.changes.WithLabelValues(strings.ToValidUTF8(namespace, "\uFFFD"), strings.ToValidUTF8(set, "\uFFFD"), name)
	}
	return r
}

// sectionTimes collects times by section of the configuration.
type sectionTimes struct {
	desc *prometheus.Desc
	of   func() map[string]time.Time
}

// Describe implements [prometheus.Collector].
func (s sectionTimes) Describe(descs chan<- *prometheus.Desc) { descs <- s.desc }

// Collect implements [prometheus.Collector].
func (s sectionTimes) Collect(metrics chan<- prometheus.Metric) {
	for section, at := range s.of() {
		metrics <- prometheus.MustNewConstMetric(s.desc, prometheus.GaugeValue, float64(at.Unix()), section)
	}
}
