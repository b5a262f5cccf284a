package function

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aerosink/aerosink/function/settings"
)

// shown returns r's metrics as text.
func shown(r *Receiver) string {
	w := httptest.NewRecorder()
	r.Metrics().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return w.Body.String()
}

func TestMetrics(t *testing.T) {
	s := &fake{}
	r := receiverOf(t, &fake{}, s)
	other := strings.Replace(line(7), "shop", "bank", 1)
	post(r, line(0), other, line(1), "no change")
	s.verdict = failOn(line(2), errLater)
	post(r, line(2), line(3))
	post(r, line(2), line(3))
	postAs(r, "text/plain", "x")
	text := shown(r)
	for _, want := range []string{
		`aerosink_function_requests_total{code="200"} 1`,
		`aerosink_function_requests_total{code="503"} 2`,
		`aerosink_function_requests_total{code="415"} 1`,
		`aerosink_function_changes_total{namespace="shop",verdict="stored"} 4`,
		`aerosink_function_changes_total{namespace="bank",verdict="stored"} 1`,
		`aerosink_function_changes_total{namespace="shop",verdict="retry"} 2`,
		`aerosink_function_changes_total{namespace="",verdict="dead"} 1`,
		`aerosink_function_dead_letters_total 1`,
		`aerosink_function_request_seconds_count 4`,
		`aerosink_function_body_bytes_count 3`,
		`aerosink_function_in_flight_bytes 0`,
		`aerosink_function_ready 1`,
		`go_goroutines `,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
}

// The number of series is bounded, however many namespaces senders use.
func TestMetrics_manyNamespaces(t *testing.T) {
	r := receiverOf(t, nil, &fake{})
	for i := range 3 * maxNamespaces {
		post(r, strings.Replace(line(i), `"shop"`, fmt.Sprintf(`"shop%d"`, i), 1))
	}
	text := shown(r)
	if n := strings.Count(text, `verdict="stored"`); n != maxNamespaces+1 {
		t.Errorf("%d namespaces, want %d", n, maxNamespaces+1)
	}
	if want := fmt.Sprintf(`aerosink_function_changes_total{namespace="(other)",verdict="stored"} %d`, 2*maxNamespaces); !strings.Contains(text, want) {
		t.Errorf("the metrics lack %s", want)
	}
}

func TestMetrics_notReady(t *testing.T) {
	r := New(settings.Environment{Getenv: func(string) string { return "" }}, nil)
	if text := shown(r); !strings.Contains(text, "aerosink_function_ready 0") {
		t.Error("ready")
	}
}
