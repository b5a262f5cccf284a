package sqs

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/function/sink"
)

// Values of the label verdict.
const (
	verdictSent       = "sent"
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

func newMetrics(q *queue) *metrics {
	labels := prometheus.Labels{"sink": q.url}
	gauge := func(name, help string, value func() int) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "aerosink_sqs_" + name, Help: help, ConstLabels: labels}, func() float64 { return float64(value()) })
	}
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: "aerosink_sqs_" + name, Help: help, ConstLabels: labels, Buckets: buckets})
	}
	counter := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "aerosink_sqs_" + name, Help: help, ConstLabels: labels}, []string{label})
	}
	m := &metrics{
		requests:        counter("requests_total", "Calls of SendMessageBatch, by the code of SQS.", "code"),
		messages:        counter("messages_total", "Messages by verdict: sent, refused for good, to be retried, or refused because of overload.", "verdict"),
		requestMessages: histogram("request_messages", "Messages of a call.", []float64{1, 2, 4, 6, 8, callMessages}),
		requestSize:     histogram("request_bytes", "Bytes of the messages of a call, as SQS counts them.", []float64{1e3, 1e4, 1e5, callBytes}),
		verdicts:        map[string]prometheus.Counter{},
		gauges: []prometheus.Collector{
			gauge("queued_messages", "Messages queued or in flight.", func() int { messages, _ := q.sender.Queued(); return messages }),
			gauge("queued_bytes", "Bytes queued or in flight.", func() int { _, bytes := q.sender.Queued(); return bytes }),
			gauge("owed_records", "Records with a failed change that has not been retried yet.", q.sender.Owed),
		},
	}
	for _, v := range []string{verdictSent, verdictRefused, verdictRetry, verdictOverloaded} {
		m.verdicts[v] = m.messages.WithLabelValues(v)
	}
	return m
}

// request counts a call.
func (m *metrics) request(code string, messages, bytes int) {
	m.requests.WithLabelValues(code).Inc()
	m.requestMessages.Observe(float64(messages))
	m.requestSize.Observe(float64(bytes))
}

// count counts messages by verdict. Nil errs mean that all were sent.
func (m *metrics) count(messages int, errs []error) {
	numbers := map[string]int{}
	for _, err := range errs {
		switch {
		case err == nil:
		case change.IsPermanent(err):
			numbers[verdictRefused]++
		case errors.Is(err, sink.ErrOverloaded):
			numbers[verdictOverloaded]++
		default:
			numbers[verdictRetry]++
		}
	}
	for verdict, n := range numbers {
		m.verdicts[verdict].Add(float64(n))
		messages -= n
	}
	m.verdicts[verdictSent].Add(float64(messages))
}

func (m *metrics) all() []prometheus.Collector {
	return append([]prometheus.Collector{m.requests, m.messages, m.requestMessages, m.requestSize}, m.gauges...)
}

// register registers the metrics with r, unless it is nil. If several sinks have the same URL,
// only the first is counted.
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

// unregister undoes register, so that the sink can be opened again.
func (m *metrics) unregister(r prometheus.Registerer) {
	if r == nil {
		return
	}
	for _, c := range m.all() {
		r.Unregister(c)
	}
}
