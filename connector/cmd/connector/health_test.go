package main

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
)

// An outage is two lines in the log: when it begins, with the cause, and when it ends, with
// its duration. The requests name the connector's version.
func TestBinary_outageLogged(t *testing.T) {
	var up atomic.Bool
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got, want := r.UserAgent(), "aerosink-connector/"; len(got) <= len(want) || got[:len(want)] != want {
			t.Errorf("User-Agent %q, want %sVERSION", got, want)
		}
		if !up.Load() {
			w.WriteHeader(http.StatusBadGateway)
		}
	}))
	defer s.Close()
	b := startBinary(t, 0, forward(s.URL+"/in?token=secret", ", protocol: HTTP_1_1, health-check: {interval-seconds: 1, healthy-threshold: 1, unhealthy-threshold: 1}"))
	b.log.Find(t, `("severity":"WARNING","message":"endpoint unhealthy; it gets no changes until health checks succeed","destination":"there","endpoint":"`+s.URL+`/in","error":"GET `+s.URL+`/in: status 502 Bad Gateway")`)
	up.Store(true)
	b.log.Find(t, `("severity":"INFO","message":"endpoint healthy again","destination":"there","endpoint":"`+s.URL+`/in","unhealthy_for":)`)
	b.terminate(t)
}
