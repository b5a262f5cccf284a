package function

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/store"
)

// metrics are the metrics of a Receiver. Its sinks register theirs in the same registry.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  prometheus.Histogram
	bytes    prometheus.Histogram
	dead     prometheus.Counter
	unfenced prometheus.Counter

	changes    *prometheus.CounterVec
	mu         sync.Mutex
	namespaces map[string]*resultCounters
}

// resultCounters count the changes of a namespace by result.
type resultCounters [store.NumResults]prometheus.Counter

// prefix begins the name of every metric.
const prefix = "aerosink_function_"

// Senders choose the names of namespaces, so their number is bounded: changes of further
// namespaces are counted together. A database has at most 32.
const (
	maxNamespaces   = 64
	otherNamespaces = "(other)"
)

func newMetrics() *metrics {
	m := &metrics{
		registry:   prometheus.NewRegistry(),
		namespaces: map[string]*resultCounters{},
		requests:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + "requests_total", Help: "Requests answered, by status."}, []string{"code"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: prefix + "request_seconds", Help: "Seconds from a request's header to its answer.",
			Buckets: []float64{.001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10},
		}),
		bytes: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: prefix + "body_bytes", Help: "Bytes of a body, inflated.", Buckets: prometheus.ExponentialBuckets(256, 4, 10),
		}),
		dead:     prometheus.NewCounter(prometheus.CounterOpts{Name: prefix + "dead_letters_total", Help: "Changes that went to the dead letters; a body that cannot be read at all is one."}),
		unfenced: prometheus.NewCounter(prometheus.CounterOpts{Name: prefix + "unfenced_changes_total", Help: "Changes stored without the fence, because it failed."}),
		changes:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + "changes_total", Help: "Changes answered, by namespace and verdict."}, []string{"namespace", "verdict"}),
	}
	m.registry.MustRegister(m.requests, m.seconds, m.bytes, m.dead, m.unfenced, m.changes)
	return m
}

// watch adds the metrics that are read from r when they are collected.
func (m *metrics) watch(r *Receiver) {
	gauge := func(name, help string, value func() float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: prefix + name, Help: help}, value))
	}
	gauge("ready", "1 when the environment is right and all sinks are open.", func() float64 {
		if r.ready.Load() == nil {
			return 0
		}
		return 1
	})
	gauge("in_flight_bytes", "Bytes of memory that hold bodies, as they are sent and inflated.", func() float64 {
		if in := r.entry.Load(); in != nil {
			return float64(in.reader.InFlight())
		}
		return 0
	})
}

// handler returns a handler that serves the metrics and those of the process.
func (m *metrics) handler() http.Handler {
	process := prometheus.NewRegistry()
	process.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	show := promhttp.HandlerFor(prometheus.Gatherers{m.registry, process}, promhttp.HandlerOpts{})
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTimeout)) // a test's recorder has none
		show.ServeHTTP(w, req)
	})
}

// answered counts a request.
func (m *metrics) answered(status int, since time.Time) {
	m.requests.WithLabelValues(strconv.Itoa(status)).Inc()
	m.seconds.Observe(time.Since(since).Seconds())
}

// count counts changes by result.
func (m *metrics) count(changes []format.Parsed, o *store.Outcome) {
	m.unfenced.Add(float64(o.Unfenced().Changes))
	var of *resultCounters
	namespace := ""
	for i := range changes {
		if name := changes[i].Change.Namespace; of == nil || name != namespace {
			of, namespace = m.of(name), name
		}
		result := o.Of(i)
		of[result].Inc()
		if result == store.Dead {
			m.dead.Inc()
		}
	}
}

// of returns the counters of a namespace, or those of otherNamespaces.
func (m *metrics) of(namespace string) *resultCounters {
	m.mu.Lock()
	defer m.mu.Unlock()
	known := m.namespaces[namespace]
	if known == nil && len(m.namespaces) >= maxNamespaces {
		namespace = otherNamespaces
		known = m.namespaces[namespace]
	}
	if known != nil {
		return known
	}
	r := new(resultCounters)
	for i := range store.NumResults {
		r[i] = m.changes.WithLabelValues(strings.ToValidUTF8(namespace, "\uFFFD"), i.String())
	}
	m.namespaces[strings.Clone(namespace)] = r
	return r
}
