package aerospike

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// result is what became of a change.
type result uint8

const (
	stored  result = iota
	deleted        // the record
	stale          // a newer version was there
	skipped        // of another namespace
	refused        // for good
	retry
	results // how many there are
)

// String returns the value of the label verdict.
func (r result) String() string {
	return [results]string{"stored", "deleted", "stale", "skipped", "refused", "retry"}[r]
}

// metrics are the metrics of one sink.
type metrics struct {
	changes   *prometheus.CounterVec
	conflicts prometheus.Counter
	batches   prometheus.Histogram
}

// newMetrics returns metrics that are registered with r, unless it is nil. Sinks with the
// same URL share theirs.
func newMetrics(url string, r prometheus.Registerer) (*metrics, error) {
	labels := prometheus.Labels{"sink": url}
	m := &metrics{
		changes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "aerosink_aerospike_changes_total", ConstLabels: labels,
			Help: "Changes by verdict: stored, deleted (the record), stale (a newer version was there), skipped (of another namespace), refused for good, or to be retried.",
		}, []string{"verdict"}),
		conflicts: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "aerosink_aerospike_conflicts_total", ConstLabels: labels,
			Help: "Commands that were repeated, because another writer was at the same record.",
		}),
		batches: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "aerosink_aerospike_batch_seconds", ConstLabels: labels,
			Help: "Seconds to store a batch of changes, with all its commands.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
		}),
	}
	return m, errors.Join(register(r, &m.changes), register(r, &m.conflicts), register(r, &m.batches))
}

// register registers c with r, unless it is nil. If it is registered already, c becomes the
// one that is.
func register[C prometheus.Collector](r prometheus.Registerer, c *C) error {
	if r == nil {
		return nil
	}
	err := r.Register(*c)
	var before prometheus.AlreadyRegisteredError
	if !errors.As(err, &before) {
		return err
	}
	existing, ok := before.ExistingCollector.(C)
	if !ok {
		return fmt.Errorf("register metrics of the sink: %w", err)
	}
	*c = existing
	return nil
}

// count counts the changes of a Put.
func (m *metrics) count(p *put) {
	for r, n := range p.results {
		if n > 0 {
			m.changes.WithLabelValues(result(r).String()).Add(float64(n))
		}
	}
}

// took counts a batch that began at that time.
func (m *metrics) took(began time.Time) { m.batches.Observe(time.Since(began).Seconds()) }
