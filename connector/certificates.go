package connector

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Certificates adds when certificates end. Ends returns that by the sections of the
// configuration, and is asked whenever someone looks: a certificate may be replaced.
func (m *Metrics) Certificates(ends func() map[string]time.Time) {
	m.registerer.MustRegister(certificates{
		desc: prometheus.NewDesc("aerosink_connector_certificate_expiry_timestamp_seconds",
			"When a certificate that others are shown ends, in Unix seconds.", []string{"section"}, m.labels),
		ends: ends,
	})
}

// certificates collect when certificates end.
type certificates struct {
	desc *prometheus.Desc
	ends func() map[string]time.Time
}

// Describe implements [prometheus.Collector].
func (c certificates) Describe(descs chan<- *prometheus.Desc) { descs <- c.desc }

// Collect implements [prometheus.Collector].
func (c certificates) Collect(metrics chan<- prometheus.Metric) {
	for section, end := range c.ends() {
		metrics <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, float64(end.Unix()), section)
	}
}
