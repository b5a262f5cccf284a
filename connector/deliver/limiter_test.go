package deliver_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/deliver"
)

// A destination that accepts only five requests at once does not get many more; once it
// accepts all, the limit grows back to its maximum.
func TestLimiter_overload(t *testing.T) {
	for overload, most := range map[string]int{"429": 250, "503": 250, "timeout": 450} { // a timeout blocks its lane for long
		t.Run(overload, func(t *testing.T) {
			t.Parallel()
			var strict atomic.Bool
			var s *scriptedServer
			strict.Store(true)
			s = newScriptedServer(t, func(_ int64, w http.ResponseWriter, r *http.Request) {
				switch at := s.now.Load(); {
				case !strict.Load() || at <= 5:
					pause(r, 2*time.Millisecond)
				case overload == "timeout":
					<-r.Context().Done()
				case overload == "429":
					w.WriteHeader(http.StatusTooManyRequests)
				default:
					w.WriteHeader(http.StatusServiceUnavailable)
				}
			})
			c := config(t, s.url)
			c.Streams = 64
			c.CallTimeout = 200 * time.Millisecond
			r := prometheus.NewRegistry()
			c.Metrics = deliver.NewMetrics(r, "cluster")
			d := open(t, c)
			failures := sendMany(t, d, 500)
			if failures == 0 || failures > most {
				t.Errorf("%d of 500 failed, want some, and at most %d", failures, most)
			}
			strict.Store(false)
			changetest.WaitFor(t, "the maximum limit", func() bool {
				sendMany(t, d, 500)
				limit := samples(t, r, "concurrency_limit")
				return strings.HasSuffix(limit[0], " 64")
			})
		})
	}
}

// pause waits for d or until the request is cancelled.
func pause(r *http.Request, d time.Duration) {
	select {
	case <-time.After(d):
	case <-r.Context().Done():
	}
}

// sendMany sends n changes at once, each in its own request, and returns how many failed.
func sendMany(t *testing.T, d *deliver.Destination, n int) (failures int) {
	t.Helper()
	var verdicts []verdict
	for i := range n {
		verdicts = append(verdicts, send(d, alone, i, "x"))
	}
	for _, v := range verdicts {
		if v.wait(t) != nil {
			failures++
		}
	}
	return failures
}
