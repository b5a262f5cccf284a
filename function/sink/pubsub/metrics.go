package pubsub

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
)

// What becomes of messages, as the metrics call it.
const (
	verdictPublished  = "published"
	verdictRefused    = "refused" // for good
	verdictRetry      = "retry"
	verdictOverloaded = "overloaded"
)

// metrics are those of one sink.
type metrics struct {
	requests, messages           *prometheus.CounterVec
	requestMessages, requestSize prometheus.Histogram
	verdicts                     map[string]prometheus.Counter
	gauges                       []prometheus.Collector
}

func newMetrics(p *publisher) *metrics {
	labels := prometheus.Labels{"sink": p.url}
	gauge := func(name, help string, value func() int) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "aerosink_pubsub_" + name, Help: help, ConstLabels: labels}, func() float64 {
			p.mu.Lock()
			defer p.mu.Unlock()
			return float64(value())
		})
	}
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: "aerosink_pubsub_" + name, Help: help, ConstLabels: labels, Buckets: buckets})
	}
	counter := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "aerosink_pubsub_" + name, Help: help, ConstLabels: labels}, []string{label})
	}
	m := &metrics{
		requests:        counter("requests_total", "Publish requests by gRPC code, each attempt.", "code"),
		messages:        counter("messages_total", "Messages by what became of them.", "verdict"),
		requestMessages: histogram("request_messages", "Messages of a request.", []float64{1, 3, 10, 30, 100, 300, requestMessages}),
		requestSize:     histogram("request_bytes", "Bytes of a request.", []float64{1e3, 1e4, 1e5, 1e6, requestBytes}),
		verdicts:        map[string]prometheus.Counter{},
		gauges: []prometheus.Collector{
			gauge("queued_messages", "Messages that wait or are under way.", func() int { return p.held.messages }),
			gauge("queued_bytes", "Bytes that wait or are under way.", func() int { return p.held.bytes }),
			gauge("owed_records", "Records of which a change failed and has not come again.", p.owing),
		},
	}
	for _, v := range []string{verdictPublished, verdictRefused, verdictRetry, verdictOverloaded} {
		m.verdicts[v] = m.messages.WithLabelValues(v)
	}
	return m
}

// request counts an attempt.
func (m *metrics) request(code codes.Code, messages, bytes int) {
	m.requests.WithLabelValues(code.String()).Inc()
	m.requestMessages.Observe(float64(messages))
	m.requestSize.Observe(float64(bytes))
}

// count counts messages by what became of them.
func (m *metrics) count(verdict string, messages int) { m.verdicts[verdict].Add(float64(messages)) }

func (m *metrics) all() []prometheus.Collector {
	return append([]prometheus.Collector{m.requests, m.messages, m.requestMessages, m.requestSize}, m.gauges...)
}

// register registers the metrics with r, unless it is nil. Of sinks that have one
// URL only the first is counted.
func (m *metrics) register(r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	for _, c := range m.all() {
		var twice prometheus.AlreadyRegisteredError
		if err := r.Register(c); err != nil && !errors.As(err, &twice) {
			return fmt.Errorf("register metrics: %w", err)
		}
	}
	return nil
}

// unregister takes back what register did, so that the sink can be opened anew.
func (m *metrics) unregister(r prometheus.Registerer) {
	if r == nil {
		return
	}
	for _, c := range m.all() {
		r.Unregister(c)
	}
}
