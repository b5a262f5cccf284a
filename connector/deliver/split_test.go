package deliver_test

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/deliver"
)

// squeamish is a server that refuses a request with a poisoned change in it, and
// one that is too large.
type squeamish struct {
	url    string
	most   int   // bytes of a body; beyond it the answer is 413
	status []int // of poisoned ones, one after another; the last of all others

	mu       sync.Mutex
	requests int
	accepted []string // records, in order
}

func newSqueamish(t *testing.T, status ...int) *squeamish {
	q := &squeamish{most: math.MaxInt, status: status}
	q.url = server(t, q.serve).URL
	return q
}

func (q *squeamish) serve(w http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(r.Body)
	body := string(text)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.requests++
	switch {
	case len(body) > q.most:
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	case strings.Contains(body, "poison"):
		w.WriteHeader(q.status[0])
		if len(q.status) > 1 {
			q.status = q.status[1:]
		}
	default:
		q.accepted = append(q.accepted, strings.Fields(body)...)
	}
}

// sendBatch sends records in one request, and returns their verdicts.
func sendBatch(d *deliver.Destination, records ...string) []verdict {
	s := &deliver.Stream{Envelope: lines{}, MaxRecords: len(records), MaxBytes: 1 << 30, Interval: time.Hour}
	var verdicts []verdict
	for _, r := range records {
		verdicts = append(verdicts, send(d, s, 0, r+"\n"))
	}
	return verdicts
}

// A poisoned change is found with at most 2·log2(n) requests more, and all others
// are delivered, in order.
func TestPoisonInABatch(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		q := newSqueamish(t, rapid.SampledFrom([]int{400, 415, 422}).Draw(rt, "status"))
		n := rapid.IntRange(1, 300).Draw(rt, "changes")
		poisoned := rapid.SliceOfNDistinct(rapid.IntRange(0, n-1), 0, min(n, 5), rapid.ID).Draw(rt, "poisoned")
		var records, healthy []string
		for i := range n {
			if slices.Contains(poisoned, i) {
				records = append(records, fmt.Sprint("poison", i))
			} else {
				records = append(records, fmt.Sprint(i))
				healthy = append(healthy, fmt.Sprint(i))
			}
		}
		d := open(t, config(t, q.url))
		for i, v := range sendBatch(d, records...) {
			err := v.wait(t)
			if bad := slices.Contains(poisoned, i); bad != change.IsPermanent(err) || bad != (err != nil) {
				rt.Errorf("change %d: %v", i, err)
			}
		}
		if !slices.Equal(q.accepted, healthy) {
			rt.Errorf("delivered %v, want %v", q.accepted, healthy)
		}
		if extra, most := q.requests-1, 2*math.Log2(float64(n))*float64(len(poisoned)); float64(extra) > most {
			rt.Errorf("%d requests more for %d poisoned of %d, want at most %.1f", extra, len(poisoned), n, most)
		}
		if d.Queued() != 0 {
			rt.Errorf("%d changes still queued", d.Queued())
		}
	})
}

// A batch that is too large is only cut; nothing in it is bad.
func TestBatchTooLarge(t *testing.T) {
	q := newSqueamish(t)
	q.most = 30
	records := strings.Fields(strings.Repeat("1234567 ", 16)) // of 8 bytes each
	for i, v := range sendBatch(open(t, config(t, q.url)), records...) {
		if err := v.wait(t); err != nil {
			t.Errorf("change %d: %v", i, err)
		}
	}
	if len(q.accepted) != 16 || q.requests != 1+2+4+8 {
		t.Errorf("%d changes delivered in %d requests, want 16 in 15", len(q.accepted), q.requests)
	}
}

// What a destination that gets busy meanwhile does not take is tried again.
func TestBusyWhileCutting(t *testing.T) {
	q := newSqueamish(t, 400, 503)
	verdicts := sendBatch(open(t, config(t, q.url)), "a", "b", "poison", "c")
	for _, i := range []int{0, 1, 3} {
		if err := verdicts[i].wait(t); err != nil {
			t.Errorf("change %d: %v", i, err)
		}
	}
	wantError(t, verdicts[2].wait(t), "status 503")
}

// Who refuses everything is believed a hundred times, and again once he has
// taken a change.
func TestEverythingRefused(t *testing.T) {
	q := newSqueamish(t, 400)
	d := open(t, config(t, q.url))
	refuse := func(n int) (permanent int) {
		for i := range n {
			if change.IsPermanent(send(d, alone, i, "poison\n").wait(t)) {
				permanent++
			}
		}
		return permanent
	}
	if got := refuse(150); got != 100 {
		t.Errorf("%d of 150 refused for good, want 100", got)
	}
	for _, v := range sendBatch(d, slices.Repeat([]string{"poison"}, 64)...) {
		wantError(t, v.wait(t), "status 400")
	}
	if q.requests != 150+2 {
		t.Errorf("%d requests for a batch that is not believed to be bad, want 2", q.requests-150)
	}
	for _, v := range sendBatch(d, "poison", "fine") {
		wantError(t, v.wait(t), "status 400")
	}
	for i, v := range sendBatch(d, "fine", "poison") {
		if err := v.wait(t); i == 0 && err != nil {
			t.Error(err)
		}
	}
	if got := refuse(10); got != 10 {
		t.Errorf("%d of 10 refused for good, want all", got)
	}
}

// Deadlines hold while a batch is being cut.
func TestDeadlineWhileCutting(t *testing.T) {
	s := newScripted(t, func(n int64, w http.ResponseWriter, r *http.Request) {
		if n > 1 {
			pause(r, 200*time.Millisecond)
		}
		w.WriteHeader(http.StatusBadRequest)
	})
	stream := &deliver.Stream{Envelope: lines{}, MaxRecords: 64, MaxBytes: 1 << 20, Interval: time.Hour}
	d := open(t, config(t, s.url))
	var verdicts []verdict
	for i := range 64 {
		v := make(verdict, 1)
		d.Send(deliver.Item{Stream: stream, Record: fmt.Append(nil, i), Deadline: time.Now().Add(300 * time.Millisecond), To: v})
		verdicts = append(verdicts, v)
	}
	for _, v := range verdicts {
		wantError(t, v.wait(t), "destination there")
	}
	if s.calls.Load() > 4 {
		t.Errorf("%d requests in the time for 2", s.calls.Load())
	}
}
