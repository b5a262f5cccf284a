package deliver_test

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aerosink/aerosink/connector/change/changetest"
)

// A request goes to the endpoint with the fewest in flight; equally busy endpoints take
// turns.
func TestGate_leastBusyEndpoint(t *testing.T) {
	a, b, c := newBlockingServer(t), newBlockingServer(t), newBlockingServer(t)
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
	changetest.WaitFor(t, "a response", func() bool { return d.Queued() == 2 })
	one("1 1 1")
	one("1 1 2") // after b it is c's turn
	one("2 1 2")
	one("2 2 2")
	for _, h := range []*blockingServer{a, b, c} {
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

// An endpoint never has more requests than its connections allow, even if another has
// none.
func TestGate_limitPerEndpoint(t *testing.T) {
	unhealthy := newHealthServer(t)
	unhealthy.status.Store(500)
	h := newBlockingServer(t)
	c := healthConfig(t, h.URL, unhealthy.url)
	c.Streams = 3
	c.Health.UnhealthyThreshold = 1
	d := open(t, c)
	changetest.WaitFor(t, "no requests to the unhealthy endpoint", func() bool {
		before := unhealthy.posts.Load()
		h.release <- struct{}{}
		h.release <- struct{}{}
		send(d, alone, 0, "x").wait(t)
		send(d, alone, 0, "x").wait(t)
		return unhealthy.posts.Load() == before
	})
	for len(h.release) > 0 {
		<-h.release
	}
	var verdicts []verdict
	for i := range 12 {
		verdicts = append(verdicts, send(d, alone, i, "x"))
	}
	changetest.WaitFor(t, "three requests in flight", func() bool { return h.now.Load() == 3 })
	for range verdicts {
		h.release <- struct{}{}
	}
	for _, v := range verdicts {
		if err := v.wait(t); err != nil {
			t.Error(err)
		}
	}
	if most := h.most.Load(); most > 3 {
		t.Errorf("%d requests at once, want 3", most)
	}
}

// closedURL returns a URL whose port is closed.
func closedURL(t *testing.T) string {
	t.Helper()
	s := server(t, func(http.ResponseWriter, *http.Request) {})
	s.Close()
	return s.URL
}

// scriptedServer is a server whose responses depend on the number of the request, counted
// from 1.
type scriptedServer struct {
	url   string
	calls atomic.Int64
	most  atomic.Int64 // requests at once
	now   atomic.Int64
}

func newScriptedServer(t *testing.T, respond func(n int64, w http.ResponseWriter, r *http.Request)) *scriptedServer {
	s := &scriptedServer{}
	s.url = server(t, func(w http.ResponseWriter, r *http.Request) {
		now := s.now.Add(1)
		defer s.now.Add(-1)
		for most := s.most.Load(); now > most && !s.most.CompareAndSwap(most, now); most = s.most.Load() {
		}
		_, _ = io.Copy(io.Discard, r.Body)
		respond(s.calls.Add(1), w, r)
	}).URL
	return s
}

// Versions of a record do not overtake each other, even if the destination is overloaded.
func TestLane_orderUnderOverload(t *testing.T) {
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
