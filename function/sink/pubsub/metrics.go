package pubsub

import (
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
)

// Values of the label verdict.
const (
	verdictPublished  = "published"
	verdictRefused    = "refused" // for good
	verdictRetry      = "retry"
	verdictOverloaded = "overloaded"
)

// metrics are the metrics of one sink.
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
		requests:        counter("requests_total", "Attempts of publish requests, by gRPC code.", "code"),
		messages:        counter("messages_total", "Messages by verdict: published, refused for good, to be retried, or refused because of overload.", "verdict"),
		requestMessages: histogram("request_messages", "Messages of a request.", []float64{1, 3, 10, 30, 100, 300, requestMessages}),
		requestSize:     histogram("request_bytes", "Bytes of a request.", []float64{1e3, 1e4, 1e5, 1e6, requestBytes}),
		verdicts:        map[string]prometheus.Counter{},
		gauges: []prometheus.Collector{
			gauge("queued_messages", "Messages queued or in flight.", func() int { return p.queued.messages }),
			gauge("queued_bytes", "Bytes queued or in flight.", func() int { return p.queued.bytes }),
			gauge("owed_records", "Records with a failed change that has not been retried yet.", p.recordsWithRetries),
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

// count counts messages by verdict.
func (m *metrics) count(verdict string, messages int) { m.verdicts[verdict].Add(float64(messages)) }

func (m *metrics) all() []prometheus.Collector {
	return append([]prometheus.Collector{m.requests, m.messages, m.requestMessages, m.requestSize}, m.gauges...)
}
