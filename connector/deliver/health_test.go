package deliver_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/deliver/post"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/deliver"
)

// healthServer is a server with a settable response to health checks.
type healthServer struct {
	url    string
	status atomic.Int64 // of checks
	checks atomic.Int64
	posts  atomic.Int64
	header atomic.Value // of the last check
	hang   atomic.Bool  // POST requests get no response
}

func newHealthServer(t *testing.T) *healthServer {
	c := &healthServer{}
	c.status.Store(200)
	c.url = server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			c.posts.Add(1)
			if c.hang.Load() {
				<-r.Context().Done()
			}
			return
		}
		c.header.Store(r.Header.Clone())
		c.checks.Add(1)
		w.WriteHeader(int(c.status.Load()))
	}).URL
	return c
}

func healthConfig(t *testing.T, urls ...string) deliver.Config {
	c := config(t, urls...)
	c.Health = &deliver.HealthConfig{Interval: 50 * time.Millisecond, CallTimeout: time.Minute, HealthyThreshold: 3, UnhealthyThreshold: 2}
	return c
}

func TestHealthCheck_statuses(t *testing.T) {
	for status, healthy := range map[int64]bool{200: true, 204: true, 301: true, 401: true, 404: true, 405: true, 499: true, 500: false, 503: false} {
		s := newHealthServer(t)
		s.status.Store(status)
		d := open(t, healthConfig(t, s.url))
		changetest.WaitFor(t, "some checks", func() bool { return s.checks.Load() > 3 })
		if healthy {
			if err := send(d, alone, 0, "x").wait(t); err != nil {
				t.Errorf("status %d: %v", status, err)
			}
			continue
		}
		changetest.WaitFor(t, fmt.Sprint("an error after status ", status), func() bool {
			return send(d, alone, 0, "x").wait(t) != nil
		})
		wantError(t, send(d, alone, 0, "x").wait(t), fmt.Sprintf("destination there: no endpoint is healthy; the last check: GET %s: status %d", s.url, status))
	}
}

// A check has the headers and the authorization of requests, except headers about the
// changes in a request.
func TestHealthCheck_headers(t *testing.T) {
	s := newHealthServer(t)
	c := healthConfig(t, s.url)
	c.Headers = []post.Header{{Name: "X-Team", Text: "data"}, {Name: "X-Count", Of: post.FactCount}}
	c.Auth = fixedAuth("Basic eA==")
	open(t, c)
	changetest.WaitFor(t, "a check", func() bool { return s.checks.Load() > 0 })
	h := s.header.Load().(http.Header)
	if h.Get("X-Team") != "data" || h.Get("Authorization") != "Basic eA==" || h.Get("X-Count") != "" {
		t.Errorf("headers %v", h)
	}
}

// fixedAuth is an auth.Source whose value never changes.
type fixedAuth string

func (f fixedAuth) Authorization(context.Context) (string, error) { return string(f), nil }
func (fixedAuth) Rejected(string)                                 {}

// An unhealthy endpoint gets no requests until it is healthy again.
func TestHealthCheck_oneEndpointUnhealthy(t *testing.T) {
	a, b := newHealthServer(t), newHealthServer(t)
	d := open(t, healthConfig(t, a.url, b.url))
	a.status.Store(500)
	changetest.WaitFor(t, "no requests to the unhealthy endpoint", func() bool {
		before := a.posts.Load()
		for i := range 10 {
			send(d, alone, i, "x").wait(t)
		}
		return a.posts.Load() == before
	})
	a.status.Store(200)
	changetest.WaitFor(t, "requests to the endpoint that is healthy again", func() bool {
		before := a.posts.Load()
		for i := range 2 {
			if err := send(d, alone, i, "x").wait(t); err != nil {
				t.Fatal(err)
			}
		}
		return a.posts.Load() > before
	})
}

// When no endpoint is healthy, waiting items get their verdict at once, behind requests that
// hang and in lanes that wait for more. So do new items.
func TestHealthCheck_noEndpointHealthy(t *testing.T) {
	s := newHealthServer(t)
	s.hang.Store(true)
	c := healthConfig(t, s.url)
	c.Streams = 4
	d := open(t, c)
	hung := send(d, alone, 0, "x")
	changetest.WaitFor(t, "a request", func() bool { return s.posts.Load() == 1 })
	behind := []verdict{send(d, alone, 0, "x"), send(d, alone, 0, "x")}
	patient := &deliver.Stream{Envelope: lines{}, MaxRecords: 100, MaxBytes: 1000, Interval: time.Hour}
	resting := []verdict{send(d, patient, 1, "x"), send(d, patient, 1, "y")}
	s.status.Store(503)
	for _, v := range append(behind, resting...) {
		wantError(t, v.wait(t), "no endpoint is healthy")
	}
	wantError(t, send(d, alone, 3, "x").wait(t), "no endpoint is healthy")
	if d.Queued() != 1 || len(hung) != 0 {
		t.Errorf("%d changes queued, want the one that hangs", d.Queued())
	}

	s.hang.Store(false)
	s.status.Store(200)
	before := s.checks.Load()
	changetest.WaitFor(t, "a delivery", func() bool { return send(d, alone, 3, "x").wait(t) == nil })
	if got := s.checks.Load() - before; got < 3 {
		t.Errorf("healthy again after %d checks, want 3", got)
	}
}

// The error of an unhealthy destination gives the reason of the last check, without the
// secrets in the URL.
func TestHealthCheck_errorText(t *testing.T) {
	r := prometheus.NewRegistry()
	s := newHealthServer(t)
	c := healthConfig(t, strings.Replace(s.url, "http://", "http://user:secret@", 1)+"/in?token=secret")
	c.Metrics = deliver.NewMetrics(r, "cluster")
	d := open(t, c)
	const healthy = "aerosink_connector_endpoints_healthy{cluster_name=cluster,destination=there} "
	wantSamples(t, r, "endpoints_healthy", healthy+"1")
	for status, name := range map[int64]string{500: "Internal Server Error", 503: "Service Unavailable"} {
		s.status.Store(status)
		want := fmt.Sprintf("destination there: no endpoint is healthy; the last check: GET %s/in: status %d %s", s.url, status, name)
		changetest.WaitFor(t, want, func() bool {
			err := send(d, alone, 0, "x").wait(t)
			return err != nil && err.Error() == want
		})
		wantSamples(t, r, "endpoints_healthy", healthy+"0")
	}
	s.status.Store(200)
	changetest.WaitFor(t, "a delivery", func() bool { return send(d, alone, 0, "x").wait(t) == nil })
	wantSamples(t, r, "endpoints_healthy", healthy+"1")
}

// If an endpoint does not speak the protocol, the error says which key to set.
func TestHealthCheck_wrongProtocol(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(s.Close)
	d := open(t, healthConfig(t, s.URL))
	changetest.WaitFor(t, "the reason", func() bool {
		err := send(d, alone, 0, "x").wait(t)
		return err != nil && strings.HasPrefix(err.Error(), "destination there: no endpoint is healthy; the last check: GET ") &&
			strings.HasSuffix(err.Error(), "(protocol is HTTP_2; if the server does not speak it, set HTTP_1_1)")
	})
}

// A request without a response makes the check of its endpoint follow at once.
func TestHealthCheck_afterFailedRequest(t *testing.T) {
	c := healthConfig(t, closedURL(t))
	c.Health.Interval = 2 * time.Second // longer than two of the frequent checks take
	d := open(t, c)
	began := time.Now()
	changetest.WaitFor(t, "an unhealthy endpoint", func() bool {
		err := send(d, alone, 0, "x").wait(t)
		return err != nil && strings.HasPrefix(err.Error(), "destination there: no endpoint is healthy")
	})
	if took := time.Since(began); took > 1500*time.Millisecond {
		t.Errorf("took %v", took)
	}
}

func TestHealthCheck_close(t *testing.T) {
	s := newHealthServer(t)
	d := deliver.New(healthConfig(t, s.url))
	changetest.WaitFor(t, "a check", func() bool { return s.checks.Load() > 0 })
	d.Close(t.Context())
	wantError(t, send(d, alone, 0, "x").wait(t), "shutting down")
}

// Each change of an endpoint's health is reported once.
func TestHealthCheck_changes(t *testing.T) {
	s := newHealthServer(t)
	s.status.Store(500)
	changes := make(chan deliver.HealthChange, 100)
	c := healthConfig(t, s.url+"/in?token=secret")
	c.HealthChanged = func(h deliver.HealthChange) { changes <- h }
	open(t, c)
	for range 2 {
		h := <-changes
		if h.Destination != "there" || h.Endpoint != s.url+"/in" || h.Healthy || h.Err == nil || !strings.Contains(h.Err.Error(), "status 500") || h.Unhealthy != 0 {
			t.Errorf("change %+v, want unhealthy with the reason", h)
		}
		before := s.checks.Load()
		changetest.WaitFor(t, "more failed checks", func() bool { return s.checks.Load() > before+3 })
		s.status.Store(200)
		if h = <-changes; !h.Healthy || h.Err != nil || h.Unhealthy <= 0 {
			t.Errorf("change %+v, want healthy after some time", h)
		}
		s.status.Store(500)
	}
}
