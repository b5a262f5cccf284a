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

// A destination that can take five requests at once gets not many more, and one
// that can take all gets all again.
func TestConcurrencyAdapts(t *testing.T) {
	for overload, most := range map[string]int{"429": 250, "503": 250, "timeout": 450} { // of which one may last long
		t.Run(overload, func(t *testing.T) {
			t.Parallel()
			var strict atomic.Bool
			var s *scripted
			strict.Store(true)
			s = newScripted(t, func(_ int64, w http.ResponseWriter, r *http.Request) {
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
			failures := pressure(t, d, 500)
			if failures == 0 || failures > most {
				t.Errorf("%d of 500 failed, want some, and at most %d", failures, most)
			}
			strict.Store(false)
			changetest.WaitFor(t, "all lanes at work again", func() bool {
				pressure(t, d, 500)
				limit := samples(t, r, "concurrency_limit")
				return strings.HasSuffix(limit[0], " 64")
			})
		})
	}
}

func pause(r *http.Request, d time.Duration) {
	select {
	case <-time.After(d):
	case <-r.Context().Done():
	}
}

// pressure sends n changes, each alone and all at once, and returns how many
// failed.
func pressure(t *testing.T, d *deliver.Destination, n int) (failures int) {
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
