package sink_test

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aerosink/aerosink/function/sink"
)

// families returns the names of the metrics that are registered.
func families(t *testing.T, r *prometheus.Registry) string {
	t.Helper()
	all, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range all {
		names = append(names, f.GetName())
	}
	return strings.Join(names, " ")
}

func counter(name string, labels prometheus.Labels) prometheus.Collector {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: "Of a test.", ConstLabels: labels})
}

// A sink that is closed takes only its own metrics with it, and can be opened again.
func TestRegister_sameURL(t *testing.T) {
	r := prometheus.NewRegistry()
	labels := prometheus.Labels{"sink": "log:"}
	first, err := sink.Register(r, counter("a", labels), counter("b", labels))
	if err != nil {
		t.Fatal(err)
	}
	second, err := sink.Register(r, counter("a", labels), counter("b", labels))
	if err != nil {
		t.Fatal(err)
	}
	if second.Unregister(); families(t, r) != "a b" {
		t.Errorf("metrics %q after the second sink is closed", families(t, r))
	}
	if first.Unregister(); families(t, r) != "" {
		t.Errorf("metrics %q after both are closed", families(t, r))
	}
	if _, err := sink.Register(r, counter("a", labels)); err != nil || families(t, r) != "a" {
		t.Errorf("metrics %q, error %v", families(t, r), err)
	}
}

// A metric that cannot be registered leaves none behind.
func TestRegister_fails(t *testing.T) {
	r := prometheus.NewRegistry()
	if _, err := sink.Register(r, counter("a", nil), counter("b", nil), counter("a", prometheus.Labels{"label": "of one, not of the other"})); err == nil || families(t, r) != "" {
		t.Errorf("metrics %q, error %v", families(t, r), err)
	}
}

func TestRegister_withoutRegisterer(t *testing.T) {
	registered, err := sink.Register(nil, counter("a", nil))
	if err != nil {
		t.Fatal(err)
	}
	registered.Unregister()
}
