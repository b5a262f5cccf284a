package deliver_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/deliver"
)

// Requests go where the fewest are in flight, and in turn where equally many are.
func TestLeastInFlight(t *testing.T) {
	a, b, c := newHeld(t), newHeld(t), newHeld(t)
	cfg := config(t, a.URL, b.URL, c.URL)
	d := open(t, cfg)
	inFlight := func() string { return fmt.Sprint(a.now.Load(), b.now.Load(), c.now.Load()) }
	var verdicts []verdict
	one := func(want string) {
		t.Helper()
		verdicts = append(verdicts, send(d, alone, len(verdicts), "x"))
		changetest.WaitFor(t, want+" requests in flight", func() bool { return inFlight() == want })
	}
	one("1 0 0")
	one("1 1 0")
	one("1 1 1")
	b.release <- struct{}{}
	changetest.WaitFor(t, "an answer", func() bool { return d.Queued() == 2 })
	one("1 1 1")
	one("1 1 2") // after b it is c's turn
	one("2 1 2")
	one("2 2 2")
	for _, h := range []*held{a, b, c} {
		for range 2 {
			h.release <- struct{}{}
		}
	}
	for _, v := range verdicts {
		if err := v.wait(t); err != nil {
			t.Error(err)
		}
	}
}

// No endpoint has more requests than its connections may carry, though others
// have none.
func TestEndpointsAreBounded(t *testing.T) {
	sick := newChecked(t)
	sick.status.Store(500)
	h := newHeld(t)
	c := checkedConfig(t, h.URL, sick.url)
	c.Streams = 3
	c.Health.UnhealthyThreshold = 1
	d := open(t, c)
	changetest.WaitFor(t, "no traffic to the sick one", func() bool {
		before := sick.posts.Load()
		h.release <- struct{}{}
		h.release <- struct{}{}
		send(d, alone, 0, "x").wait(t)
		send(d, alone, 0, "x").wait(t)
		return sick.posts.Load() == before
	})
	var verdicts []verdict
	for i := range 12 {
		verdicts = append(verdicts, send(d, alone, i, "x"))
	}
	for _, v := range verdicts {
		h.release <- struct{}{}
		if err := v.wait(t); err != nil {
			t.Error(err)
		}
	}
	if most := h.most.Load(); most > 3 {
		t.Errorf("%d requests at once, want 3", most)
	}
}

// refusing returns a URL where nobody listens.
func refusing(t *testing.T) string {
	t.Helper()
	s := server(t, func(http.ResponseWriter, *http.Request) {})
	s.Close()
	return s.URL
}

// scripted is a server whose answers are made by a function of the number of the
// request, counted from 1.
type scripted struct {
	url   string
	calls atomic.Int64
	most  atomic.Int64 // at once
	now   atomic.Int64
}

func newScripted(t *testing.T, answer func(n int64, w http.ResponseWriter, r *http.Request)) *scripted {
	s := &scripted{}
	s.url = server(t, func(w http.ResponseWriter, r *http.Request) {
		now := s.now.Add(1)
		defer s.now.Add(-1)
		for most := s.most.Load(); now > most && !s.most.CompareAndSwap(most, now); most = s.most.Load() {
		}
		_, _ = io.Copy(io.Discard, r.Body)
		answer(s.calls.Add(1), w, r)
	}).URL
	return s
}

func overloaded(w http.ResponseWriter, status int, retryAfter string) {
	w.Header().Set("Retry-After", retryAfter)
	w.WriteHeader(status)
}

// Until the time that Retry-After says there is no request. Who cannot wait that
// long knows at once, and who can is served then.
func TestRetryAfter(t *testing.T) {
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
			s := newScripted(t, func(n int64, w http.ResponseWriter, _ *http.Request) {
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
				d.Send(deliver.Parcel{Stream: batches(10, 1000), Record: []byte("x"), Deadline: time.Now().Add(in), To: v})
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

// Of parcels that wait already, those that cannot wait so long are settled when
// the destination says it, in all lanes, behind requests that hang too.
func TestRetryAfterSettlesWhoWaits(t *testing.T) {
	proceed := make(chan struct{})
	s := newScripted(t, func(n int64, w http.ResponseWriter, r *http.Request) {
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
	proceed <- struct{}{} // one of the two; the other hangs
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

// One endpoint that asks for a pause leaves the others their work.
func TestRetryAfterOfOneEndpoint(t *testing.T) {
	busy := newScripted(t, func(_ int64, w http.ResponseWriter, _ *http.Request) { overloaded(w, 429, "3600") })
	free := newScripted(t, func(int64, http.ResponseWriter, *http.Request) {})
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

// What Retry-After says makes no sense does no harm.
func TestRetryAfterThatSaysNothing(t *testing.T) {
	for _, value := range []string{"", "0", "-5", "soon", "1e9", "Thu, 01 Jan 1970 00:00:00 GMT", "99999999999999999999"} {
		s := newScripted(t, func(n int64, w http.ResponseWriter, _ *http.Request) {
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

// Versions of a record do not overtake each other, however lanes are held up.
func TestOrderUnderPressure(t *testing.T) {
	var mu sync.Mutex
	got := map[int][]int{}
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var partition, version int
		_, _ = fmt.Sscan(string(body), &partition, &version)
		mu.Lock()
		defer mu.Unlock()
		got[partition] = append(got[partition], version)
		if (partition+version)%7 == 0 {
			w.WriteHeader(http.StatusTooManyRequests)
		}
	})
	c := config(t, s.URL)
	c.Streams = 16
	d := open(t, c)
	var verdicts []verdict
	for version := range 50 {
		for partition := range 16 {
			verdicts = append(verdicts, send(d, alone, partition, fmt.Sprint(partition, " ", version)))
		}
	}
	for _, v := range verdicts {
		v.wait(t)
	}
	for partition, versions := range got {
		for i, version := range versions {
			if version != i {
				t.Fatalf("partition %d got versions %v", partition, versions)
			}
		}
	}
}
