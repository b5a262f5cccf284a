package deliver_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/deliver"
)

// overloaded responds with a status and a Retry-After.
func overloaded(w http.ResponseWriter, status int, retryAfter string) {
	w.Header().Set("Retry-After", retryAfter)
	w.WriteHeader(status)
}

// There is no request before the time in Retry-After. Items with an earlier deadline get an
// error at once; the others are delivered after that time.
func TestRetryAfter_pause(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		value  func() string
	}{
		{"seconds, with 503", 503, func() string { return "1" }},
		{"seconds, with 429", 429, func() string { return "1" }},
		{"a date", 503, func() string { return time.Now().Add(1500 * time.Millisecond).UTC().Format(http.TimeFormat) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var asked, again time.Time
			proceed := make(chan struct{})
			s := newScriptedServer(t, func(n int64, w http.ResponseWriter, _ *http.Request) {
				if n == 1 {
					<-proceed
					asked = time.Now()
					overloaded(w, tt.status, tt.value())
				} else {
					again = time.Now()
				}
			})
			d := open(t, config(t, s.url))
			until := func(in time.Duration) verdict {
				v := make(verdict, 1)
				d.Send(deliver.Item{Stream: batches(10, 1000), Record: []byte("x"), Deadline: time.Now().Add(in), To: v})
				return v
			}
			first := until(time.Minute)
			changetest.WaitFor(t, "a request", func() bool { return s.now.Load() == 1 })
			waiting := until(time.Minute)
			close(proceed)
			wantError(t, first.wait(t), fmt.Sprint("status ", tt.status))
			wantError(t, until(10*time.Millisecond).wait(t), "asked to wait until")
			if err := waiting.wait(t); err != nil {
				t.Error(err)
			}
			if wait := again.Sub(asked); wait < 400*time.Millisecond {
				t.Errorf("the next request came after %v", wait)
			}
		})
	}
}

// Retry-After gives the items that already wait and have an earlier deadline their verdict
// at once, in all lanes, also behind a request that hangs.
func TestRetryAfter_waitingItems(t *testing.T) {
	proceed := make(chan struct{})
	s := newScriptedServer(t, func(n int64, w http.ResponseWriter, r *http.Request) {
		select {
		case <-proceed:
			overloaded(w, 503, "3600")
		case <-r.Context().Done():
		}
	})
	d := open(t, config(t, s.url))
	first := []verdict{send(d, alone, 0, "x"), send(d, alone, 1, "x")}
	changetest.WaitFor(t, "two requests", func() bool { return s.now.Load() == 2 })
	waiting := []verdict{send(d, alone, 0, "x"), send(d, alone, 0, "x"), send(d, alone, 1, "x")}
	proceed <- struct{}{} // to one of the two requests; the other hangs
	for _, v := range waiting {
		wantError(t, v.wait(t), "asked to wait until")
	}
	wantError(t, send(d, alone, 7, "x").wait(t), "asked to wait until")
	if s.calls.Load() != 2 {
		t.Errorf("%d requests, want no more than 2", s.calls.Load())
	}
	proceed <- struct{}{}
	for _, v := range first {
		wantError(t, v.wait(t), "status 503")
	}
}

// A Retry-After of one endpoint does not stop requests to the others.
func TestRetryAfter_oneEndpoint(t *testing.T) {
	busy := newScriptedServer(t, func(_ int64, w http.ResponseWriter, _ *http.Request) { overloaded(w, 429, "3600") })
	free := newScriptedServer(t, func(int64, http.ResponseWriter, *http.Request) {})
	d := open(t, config(t, busy.url, free.url))
	wantError(t, send(d, alone, 0, "x").wait(t), "status 429")
	for i := range 20 {
		if err := send(d, alone, i, "x").wait(t); err != nil {
			t.Error(err)
		}
	}
	if busy.calls.Load() != 1 || free.calls.Load() != 20 {
		t.Errorf("%d and %d requests, want 1 and 20", busy.calls.Load(), free.calls.Load())
	}
}

// An invalid Retry-After is ignored.
func TestRetryAfter_invalidValue(t *testing.T) {
	for _, value := range []string{"", "0", "-5", "soon", "1e9", "Thu, 01 Jan 1970 00:00:00 GMT"} {
		s := newScriptedServer(t, func(n int64, w http.ResponseWriter, _ *http.Request) {
			if n == 1 {
				overloaded(w, 503, value)
			}
		})
		d := open(t, config(t, s.url))
		wantError(t, send(d, alone, 0, "x").wait(t), "status 503")
		if err := send(d, alone, 0, "x").wait(t); err != nil {
			t.Errorf("after Retry-After: %q: %v", value, err)
		}
	}
}

// The pause after a Retry-After is limited, a metric has it, and health checks go on
// meanwhile: an endpoint that fails them says why.
func TestRetryAfter_limit(t *testing.T) {
	var down atomic.Bool
	var checks atomic.Int64
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPost:
			overloaded(w, 503, "86400")
		case down.Load():
			w.WriteHeader(http.StatusInternalServerError)
		}
		if r.Method == http.MethodGet {
			checks.Add(1)
		}
	})
	r := prometheus.NewRegistry()
	c := healthConfig(t, s.URL)
	c.Metrics = deliver.NewMetrics(r, "cluster")
	d := open(t, c)
	wantError(t, send(d, alone, 0, "x").wait(t), "status 503")
	var seconds float64
	if _, err := fmt.Sscanf(samples(t, r, "retry_after_seconds")[0], "aerosink_connector_retry_after_seconds{cluster_name=cluster,destination=there} %g", &seconds); err != nil || seconds <= 0 || seconds > 60 {
		t.Errorf("the metric says %v s, want at most a minute: %v", seconds, err)
	}
	before := checks.Load()
	changetest.WaitFor(t, "health checks during the pause", func() bool { return checks.Load() > before+3 })
	down.Store(true)
	changetest.WaitFor(t, "the reason of the last check", func() bool {
		err := send(d, alone, 0, "x").wait(t)
		return strings.Contains(err.Error(), "no endpoint is healthy; the last check: ")
	})
}
