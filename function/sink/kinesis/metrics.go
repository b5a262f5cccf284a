package kinesis

import (
	"errors"
	"fmt"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/ordered"
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

func newMetrics(k *streamSink) *metrics {
	labels := prometheus.Labels{"sink": k.url}
	gauge := func(name, help string, value func() int) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "aerosink_kinesis_" + name, Help: help, ConstLabels: labels}, func() float64 { return float64(value()) })
	}
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: "aerosink_kinesis_" + name, Help: help, ConstLabels: labels, Buckets: buckets})
	}
	counter := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "aerosink_kinesis_" + name, Help: help, ConstLabels: labels}, []string{label})
	}
	m := &metrics{
		requests:        counter("requests_total", "Calls of PutRecords, by the code of Kinesis; partial if it has some of the records.", "code"),
		messages:        counter("messages_total", "Records by verdict: sent, refused for good, to be retried, or refused because of overload.", "verdict"),
		requestMessages: histogram("request_messages", "Records of a call.", []float64{1, 3, 10, 30, 100, 300, maxCallRecords}),
		requestSize:     histogram("request_bytes", "Bytes of the body of a call, which has records as Base64.", []float64{1e3, 1e4, 1e5, 1e6, maxCallBytes * 4 / 3}),
		verdicts:        map[string]prometheus.Counter{},
		gauges: []prometheus.Collector{
			gauge("queued_messages", "Records queued or in flight.", func() int { messages, _ := k.sender.Queued(); return messages }),
			gauge("queued_bytes", "Bytes queued or in flight.", func() int { _, bytes := k.sender.Queued(); return bytes }),
			gauge("owed_records", "Records of the database with a failed change that has not been retried yet.", k.sender.Owed),
		},
	}
	for _, v := range []string{verdictSent, verdictRefused, verdictRetry, verdictOverloaded} {
		m.verdicts[v] = m.messages.WithLabelValues(v)
	}
	return m
}

// request counts a call that failed with err, or has results.
func (m *metrics) request(err error, results []ordered.Result, bytes int) {
	code := codeOf(err)
	if err == nil && slices.ContainsFunc(results, func(r ordered.Result) bool { return r.Status != ordered.Taken }) {
		code = "partial"
	}
	m.requests.WithLabelValues(code).Inc()
	m.requestMessages.Observe(float64(len(results)))
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
