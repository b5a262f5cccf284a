package connector

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Manage returns the handler of the manage port: health, readiness, and the
// metrics of g under Prometheus' usual path and under ESP's.
func (s *Server) Manage(g prometheus.Gatherer) http.Handler {
	metrics := promhttp.HandlerFor(g, promhttp.HandlerOpts{})
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	mux.Handle("GET /manage/rest/v1/prometheus", metrics)
	mux.Handle("GET /manage/rest/v1/metrics", jsonMetrics{g})
	alive := func(http.ResponseWriter, *http.Request) {}
	mux.HandleFunc("GET /healthz", alive)
	mux.HandleFunc("GET /manage/rest/v1", alive)
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !s.ready.Load() {
			http.Error(w, "not accepting XDR connections", http.StatusServiceUnavailable)
		}
	})
	return mux
}
