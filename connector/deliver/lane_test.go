package deliver_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/deliver"
)

// blockingServer is a server that records its requests, and responds when the test tells
// it to.
type blockingServer struct {
	*httptest.Server
	arrived chan string   // bodies, in order of arrival
	release chan struct{} // one for each response
	status  int           // of every response; 0 means 200
	most    atomic.Int64  // requests at once
	now     atomic.Int64
}

func newBlockingServer(t *testing.T) *blockingServer {
	h := &blockingServer{arrived: make(chan string, 1000), release: make(chan struct{}, 1000)}
	h.Server = server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet { // a check
			return
		}
		now := h.now.Add(1)
		defer h.now.Add(-1)
		for most := h.most.Load(); now > most && !h.most.CompareAndSwap(most, now); most = h.most.Load() {
		}
		body, _ := io.ReadAll(r.Body)
		h.arrived <- string(body)
		select {
		case <-h.release:
			w.WriteHeader(max(h.status, http.StatusOK))
		case <-r.Context().Done():
		}
	})
	return h
}

// Changes that arrive during a request of their lane form the next batches.
func TestLane_batchesWhileBusy(t *testing.T) {
	h := newBlockingServer(t)
	d := open(t, config(t, h.URL))
	s := batches(4, 1<<20)
	verdicts := []verdict{send(d, s, 7, "0\n")}
	first := <-h.arrived // sent at once, alone
	for i := 1; i <= 9; i++ {
		verdicts = append(verdicts, send(d, s, 7, fmt.Sprintf("%d\n", i)))
	}
	got := []string{first}
	for range 3 {
		h.release <- struct{}{}
		got = append(got, <-h.arrived)
	}
	h.release <- struct{}{}
	for _, v := range verdicts {
		if err := v.wait(t); err != nil {
			t.Error(err)
		}
	}
	want := []string{"0\n", "1\n2\n3\n4\n", "5\n6\n7\n8\n", "9\n"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if d.Queued() != 0 {
		t.Errorf("%d changes still queued", d.Queued())
	}
}

func TestLane_batchLimits(t *testing.T) {
	h := newBlockingServer(t)
	d := open(t, config(t, h.URL))
	wide, narrow := batches(100, 1<<20), batches(100, 10)
	send(d, wide, 0, "first\n")
	<-h.arrived
	for _, r := range []string{"w1\n", "w2\n"} {
		send(d, wide, 0, r)
	}
	for _, r := range []string{"n1....\n", "n2....\n", "n3....\n"} {
		send(d, narrow, 0, r)
	}
	send(d, wide, 0, "w3\n")
	send(d, alone, 0, "a1\n")
	send(d, alone, 0, "a2\n")
	var got []string
	for range 6 {
		h.release <- struct{}{}
		got = append(got, <-h.arrived)
	}
	h.release <- struct{}{}
	want := []string{"w1\nw2\n", "n1....\nn2....\n", "n3....\n", "w3\n", "a1\n", "a2\n"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLane_concurrency(t *testing.T) {
	h := newBlockingServer(t)
	c := config(t, h.URL)
	c.Streams = 8
	d := open(t, c)
	var verdicts []verdict
	for i := range 32 {
		verdicts = append(verdicts, send(d, alone, i, fmt.Sprintf("%d\n", i)))
	}
	var got []string
	for range 8 {
		got = append(got, <-h.arrived)
	}
	for range 32 {
		h.release <- struct{}{}
	}
	for range 24 {
		got = append(got, <-h.arrived)
	}
	for _, v := range verdicts {
		if err := v.wait(t); err != nil {
			t.Error(err)
		}
	}
	if most := h.most.Load(); most != 8 {
		t.Errorf("%d requests at once, want 8", most)
	}
	for lane := range 8 { // in order within a lane
		var of []string
		for _, body := range got {
			var i int
			fmt.Sscan(body, &i)
			if i%8 == lane {
				of = append(of, body)
			}
		}
		if want := []string{fmt.Sprintln(lane), fmt.Sprintln(lane + 8), fmt.Sprintln(lane + 16), fmt.Sprintln(lane + 24)}; !slices.Equal(of, want) {
			t.Errorf("lane %d: %q, want %q", lane, of, want)
		}
	}
}

// Empty lanes have no goroutines.
func TestLane_idleGoroutines(t *testing.T) {
	s := server(t, func(http.ResponseWriter, *http.Request) {})
	c := config(t, s.URL)
	c.Streams = 4096
	before := runtime.NumGoroutine()
	d := deliver.New(c)
	t.Cleanup(func() { d.Close(t.Context()) })
	if more := runtime.NumGoroutine() - before; more > 0 {
		t.Errorf("%d goroutines more", more)
	}
	if failures := sendMany(t, d, 5000); failures != 0 {
		t.Errorf("%d of 5000 failed", failures)
	}
	changetest.WaitFor(t, "idle lanes", func() bool { return runtime.NumGoroutine() < before+100 })
}
