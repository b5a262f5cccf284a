package ordered

import (
	"errors"

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

// MetricsConfig says what the metrics of a sink are called and what they count.
type MetricsConfig struct {
	Service  string // the part of each name after aerosink_, such as sqs
	URL      string // of the sink, the value of the label sink
	Messages string // what the service calls messages, such as Records

	CallsHelp, BytesHelp      string    // what is counted as a call, and as its bytes
	MessageBounds, ByteBounds []float64 // of the buckets for a call
}

// Metrics are the metrics of a sink that sends by a [Sender].
type Metrics struct {
	calls, messages         *prometheus.CounterVec
	callMessages, callBytes prometheus.Histogram
	verdicts                map[string]prometheus.Counter
	gauges                  []prometheus.Collector
}

// NewMetrics returns the metrics of a sink. They read the functions Queued and Owed of its
// Sender.
func NewMetrics(c MetricsConfig, queued func() (messages, bytes int), owed func() int) *Metrics {
	prefix, labels := "aerosink_"+c.Service+"_", prometheus.Labels{"sink": c.URL}
	gauge := func(name, help string, value func() int) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: prefix + name, Help: help, ConstLabels: labels}, func() float64 { return float64(value()) })
	}
	histogram := func(name, help string, bounds []float64) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: prefix + name, Help: help, ConstLabels: labels, Buckets: bounds})
	}
	counter := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + name, Help: help, ConstLabels: labels}, []string{label})
	}
	m := &Metrics{
		calls:        counter("requests_total", c.CallsHelp, "code"),
		messages:     counter("messages_total", c.Messages+" by verdict: sent, refused for good, to be retried, or refused because of overload.", "verdict"),
		callMessages: histogram("request_messages", c.Messages+" of a call.", c.MessageBounds),
		callBytes:    histogram("request_bytes", c.BytesHelp, c.ByteBounds),
		verdicts:     map[string]prometheus.Counter{},
		gauges: []prometheus.Collector{
			gauge("queued_messages", c.Messages+" queued or in flight.", func() int { messages, _ := queued(); return messages }),
			gauge("queued_bytes", "Bytes queued or in flight.", func() int { _, bytes := queued(); return bytes }),
			gauge("owed_records", "Records of the database with a failed change that has not been retried yet.", owed),
		},
	}
	for _, v := range []string{verdictSent, verdictRefused, verdictRetry, verdictOverloaded} {
		m.verdicts[v] = m.messages.WithLabelValues(v)
	}
	return m
}

// CountCall counts a call, by a code that says how it ended.
func (m *Metrics) CountCall(code string, messages, bytes int) {
	m.calls.WithLabelValues(code).Inc()
	m.callMessages.Observe(float64(messages))
	m.callBytes.Observe(float64(bytes))
}

// Count counts messages by their verdicts, as [Sender.Put] returns them.
func (m *Metrics) Count(messages int, errs []error) {
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

// Collectors returns all metrics, to be registered.
func (m *Metrics) Collectors() []prometheus.Collector {
	return append([]prometheus.Collector{m.calls, m.messages, m.callMessages, m.callBytes}, m.gauges...)
}
