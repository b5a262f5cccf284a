package archive

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the metrics of an archive. Two archives with the same URL share theirs.
type metrics struct {
	objects  *prometheus.CounterVec
	bytes    prometheus.Histogram
	changes  prometheus.Histogram
	seconds  prometheus.Histogram
	inFlight prometheus.Gauge
}

// newMetrics registers metrics with r, unless it is nil.
func newMetrics(r prometheus.Registerer, url string) *metrics {
	labels := prometheus.Labels{"sink": url}
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		return register(r, prometheus.NewHistogram(prometheus.HistogramOpts{Name: prefix + name, Help: help, ConstLabels: labels, Buckets: buckets}))
	}
	return &metrics{
		objects: register(r, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: prefix + "objects_total", Help: "Objects, by what became of them: written, there (it existed before) or failed.", ConstLabels: labels,
		}, []string{"status"})),
		bytes:   histogram("object_bytes", "Bytes of an object as stored.", prometheus.ExponentialBuckets(1<<10, 4, 9)),
		changes: histogram("object_changes", "Changes in an object.", prometheus.ExponentialBuckets(1, 8, 7)),
		seconds: histogram("write_seconds", "Seconds to write an object, with all attempts.", prometheus.ExponentialBuckets(0.01, 2, 11)),
		inFlight: register(r, prometheus.NewGauge(prometheus.GaugeOpts{
			Name: prefix + "in_flight_bytes", Help: "Bytes of changes that wait for their object, as received.", ConstLabels: labels,
		})),
	}
}

const prefix = "aerosink_archive_"

// register registers c, or returns the collector that is registered already.
func register[C prometheus.Collector](r prometheus.Registerer, c C) C {
	if r == nil {
		return c
	}
	err := r.Register(c)
	var before prometheus.AlreadyRegisteredError
	if errors.As(err, &before) {
		if c, ok := before.ExistingCollector.(C); ok {
			return c
		}
	}
	if err != nil {
		panic("archive: register metrics: " + err.Error())
	}
	return c
}

// done counts an object whose write has ended.
func (m *metrics) done(o *object, out Outcome, took time.Duration) {
	m.objects.WithLabelValues(map[Outcome]string{Created: "written", Exists: "there", Failed: "failed"}[out]).Inc()
	m.seconds.Observe(took.Seconds())
	if out == Created {
		m.bytes.Observe(float64(o.stored()))
		m.changes.Observe(float64(o.changes))
	}
}
