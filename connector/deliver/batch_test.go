package deliver_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/deliver"
)

// newBusyDestination returns a destination with 8 requests in flight, of lanes 0 to 7. It
// allows no more while requests are not full.
func newBusyDestination(t *testing.T, h *blockingServer) *deliver.Destination {
	d := open(t, config(t, h.URL))
	for i := range 8 {
		send(d, batches(100, 1<<20), i, "gate\n")
		<-h.arrived
	}
	return d
}

// Changes that wait in several lanes are sent in one request, in the order in which the
// lanes were queued, if they are of one stream and within its limits.
func TestBatch_severalLanes(t *testing.T) {
	h := newBlockingServer(t)
	d := newBusyDestination(t, h)
	wide, narrow, short := batches(6, 1<<20), batches(3, 1<<20), batches(100, 8)
	var verdicts []verdict
	for _, p := range []struct {
		stream *deliver.Stream
		lane   int
		record string
	}{
		{wide, 10, "a\n"}, {narrow, 11, "b\n"}, {wide, 12, "c\n"}, {short, 13, "d..\n"}, {narrow, 14, "e\n"}, {wide, 10, "f\n"}, {narrow, 15, "g\n"}, {wide, 16, "h\n"},
		{narrow, 17, "i\n"}, {short, 18, "j..\n"}, {short, 19, "k..\n"}, {alone, 20, "l\n"}, {alone, 21, "m\n"}, {wide, 22, "n\n"}, {wide, 22, "o\n"}, {wide, 22, "p\n"},
	} {
		verdicts = append(verdicts, send(d, p.stream, p.lane, p.record))
	}
	var got []string
	for range 7 {
		h.release <- struct{}{}
		got = append(got, <-h.arrived)
	}
	slices.Sort(got)
	want := []string{"a\nf\nc\nh\n", "b\ne\ng\n", "d..\nj..\n", "i\n", "k..\n", "l\n", "m\n", "n\no\np\n"}
	for range 9 {
		h.release <- struct{}{}
	}
	got = append(got, <-h.arrived)
	for _, v := range verdicts {
		if err := v.wait(t); err != nil {
			t.Error(err)
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// An item gets its verdict soon after its deadline: behind a request that hangs, while it
// waits for a worker, and in a lane that waits for more.
func TestDestination_expiredItems(t *testing.T) {
	h := newBlockingServer(t)
	d := newBusyDestination(t, h)
	patient := &deliver.Stream{Envelope: lines{}, MaxRecords: 100, MaxBytes: 1000, Interval: time.Hour}
	for name, p := range map[string]deliver.Item{
		"behind a request":  {Stream: alone, Partition: 0},
		"for a worker":      {Stream: alone, Partition: 50},
		"in a resting lane": {Stream: patient, Partition: 60},
	} {
		began, v := time.Now(), make(verdict, 1)
		p.Record, p.Deadline, p.To = []byte("x\n"), began.Add(20*time.Millisecond), v
		d.Send(p)
		wantError(t, v.wait(t), "no time left for a request")
		if took := time.Since(began); took < 20*time.Millisecond || took > 5*time.Second {
			t.Errorf("%s: verdict after %v", name, took)
		}
	}
	if h.now.Load() != 8 {
		t.Errorf("%d requests hang, want all 8", h.now.Load())
	}
}

// Full requests increase the width, nearly empty ones decrease it.
func TestWidth_followsFullness(t *testing.T) {
	r := prometheus.NewRegistry()
	s := newScriptedServer(t, func(int64, http.ResponseWriter, *http.Request) {})
	c := config(t, s.url)
	c.Metrics = deliver.NewMetrics(r, "cluster")
	d := open(t, c)
	wide := func(want string) func() bool {
		return func() bool { return strings.HasSuffix(samples(t, r, "concurrency_limit")[0], " "+want) }
	}
	if !wide("8")() {
		t.Errorf("begins with %v", samples(t, r, "concurrency_limit"))
	}
	changetest.WaitFor(t, "the width of full requests", func() bool {
		sendMany(t, d, 1000)
		return wide("100")()
	})
	nearlyEmpty := batches(100, 1<<20)
	changetest.WaitFor(t, "the width of others", func() bool {
		for i := range 100 {
			send(d, nearlyEmpty, i, "x\n").wait(t)
		}
		return wide("8")()
	})
}
