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

// refusingServer is a server that refuses requests with a poisoned change, and requests
// that are too large.
type refusingServer struct {
	url    string
	most   int   // bytes of a body; the response to a longer one is 413
	status []int // of responses to poisoned requests, in order; the last one is repeated

	mu       sync.Mutex
	requests int
	accepted []string // records, in order
}

func newRefusingServer(t *testing.T, status ...int) *refusingServer {
	q := &refusingServer{most: math.MaxInt, status: status}
	q.url = server(t, q.serve).URL
	return q
}

func (q *refusingServer) serve(w http.ResponseWriter, r *http.Request) {
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

// Each poisoned change is found with at most 2·log2(n) additional requests, and all other
// changes are delivered, in order.
func TestSplit_refusedChanges(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		q := newRefusingServer(t, rapid.SampledFrom([]int{400, 415, 422}).Draw(rt, "status"))
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
			rt.Errorf("%d additional requests for %d poisoned of %d, want at most %.1f", extra, len(poisoned), n, most)
		}
		if d.Queued() != 0 {
			rt.Errorf("%d changes still queued", d.Queued())
		}
	})
}

// A batch that is too large is split until all its changes are delivered.
func TestSplit_tooLarge(t *testing.T) {
	q := newRefusingServer(t)
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

// A change that fails with a 503 after its batch was split has an error that is not
// permanent.
func TestSplit_overloadedMeanwhile(t *testing.T) {
	q := newRefusingServer(t, 400, 503)
	verdicts := sendBatch(open(t, config(t, q.url)), "a", "b", "poison", "c")
	for _, i := range []int{0, 1, 3} {
		if err := verdicts[i].wait(t); err != nil {
			t.Errorf("change %d: %v", i, err)
		}
	}
	wantError(t, verdicts[2].wait(t), "status 503")
}

// After a hundred refusals in a row, refusals are no longer permanent until a change is
// accepted.
func TestRefusals_tooMany(t *testing.T) {
	q := newRefusingServer(t, 400)
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
		t.Errorf("%d of 150 errors are permanent, want 100", got)
	}
	for _, v := range sendBatch(d, slices.Repeat([]string{"poison"}, 64)...) {
		wantError(t, v.wait(t), "status 400")
	}
	if q.requests != 150+2 {
		t.Errorf("%d requests for a batch after too many refusals, want 2", q.requests-150)
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
		t.Errorf("%d of 10 errors are permanent, want all", got)
	}
}

// Deadlines apply while a batch is being split.
func TestSplit_deadline(t *testing.T) {
	s := newScriptedServer(t, func(n int64, w http.ResponseWriter, r *http.Request) {
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
		t.Errorf("%d requests before the deadline, want at most 4", s.calls.Load())
	}
}
