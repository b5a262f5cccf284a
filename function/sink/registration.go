package sink

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// Registration is the metrics that a sink has registered. The zero Registration has none.
type Registration struct {
	registerer prometheus.Registerer
	metrics    []prometheus.Collector
}

// Register registers metrics with r, unless it is nil. If several sinks have the same URL, only
// the metrics of the first are registered.
func Register(r prometheus.Registerer, metrics ...prometheus.Collector) (Registration, error) {
	registered := Registration{registerer: r}
	if r == nil {
		return registered, nil
	}
	for _, m := range metrics {
		var twice prometheus.AlreadyRegisteredError
		switch err := r.Register(m); {
		case err == nil:
			registered.metrics = append(registered.metrics, m)
		case !errors.As(err, &twice):
			registered.Unregister()
			return Registration{}, fmt.Errorf("register metrics: %w", err)
		}
	}
	return registered, nil
}

// Unregister undoes Register, so that the sink can be opened again.
func (r *Registration) Unregister() {
	for _, m := range r.metrics {
		r.registerer.Unregister(m)
	}
	r.metrics = nil
}
