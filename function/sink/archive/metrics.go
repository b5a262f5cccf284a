package archive

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics count what an archive writes. Two archives of one URL share theirs.
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
		return register(r, prometheus.NewHistogram(prometheus.HistogramOpts{Name: ours + name, Help: help, ConstLabels: labels, Buckets: buckets}))
	}
	return &metrics{
		objects: register(r, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: ours + "objects_total", Help: "Objects, by what became of them; there are those that were written before.", ConstLabels: labels,
		}, []string{"status"})),
		bytes:   histogram("object_bytes", "Bytes of an object, as it is stored.", prometheus.ExponentialBuckets(1<<10, 4, 9)),
		changes: histogram("object_changes", "Changes in an object.", prometheus.ExponentialBuckets(1, 8, 7)),
		seconds: histogram("write_seconds", "Seconds that writing an object took, with all tries.", prometheus.ExponentialBuckets(0.01, 2, 11)),
		inFlight: register(r, prometheus.NewGauge(prometheus.GaugeOpts{
			Name: ours + "in_flight_bytes", Help: "Bytes of changes that wait for their object, as they came.", ConstLabels: labels,
		})),
	}
}

const ours = "aerosink_archive_"

// register registers c, or returns what was registered in its place.
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

// done counts an object that was written, or was not.
func (m *metrics) done(o *object, out outcome, took time.Duration) {
	m.objects.WithLabelValues(map[outcome]string{written: "written", met: "there", failed: "failed"}[out]).Inc()
	m.seconds.Observe(took.Seconds())
	if out == written {
		m.bytes.Observe(float64(o.stored()))
		m.changes.Observe(float64(o.changes))
	}
}
