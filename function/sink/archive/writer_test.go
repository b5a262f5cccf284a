package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// uploads counts uploads. It handles the first with answers, one after another; the others
// succeed.
type uploads struct {
	n       atomic.Int64
	answers []http.HandlerFunc
}

func (u *uploads) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if isUpload(r) {
		if n := int(u.n.Add(1)); n <= len(u.answers) {
			u.answers[n-1](w, r)
		}
	}
}

func isUpload(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/upload/") }

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(code)
	}
}

// preconditionFailed responds with status 412 and the reason.
func preconditionFailed(reason string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusPreconditionFailed)
		_, _ = fmt.Fprintf(w, `{"error":{"code":412,"message":"not met","errors":[{"domain":"global","reason":%q}]}}`, reason)
	}
}

// hang never responds.
func hang(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
	panic(http.ErrAbortHandler)
}

// An error that may pass is retried within the timeout. Any other is returned at once.
func TestWriter_retries(t *testing.T) {
	for _, tt := range []struct {
		name     string
		answers  func(c *sinktest.Cloud) []http.HandlerFunc
		attempts int64
		err      string // "" if the object is stored
	}{
		{"unavailable", func(*sinktest.Cloud) []http.HandlerFunc { return []http.HandlerFunc{status(503), status(500)} }, 3, ""},
		{"too many requests", func(*sinktest.Cloud) []http.HandlerFunc { return []http.HandlerFunc{status(429), status(408)} }, 3, ""},
		{"response lost", func(c *sinktest.Cloud) []http.HandlerFunc {
			return []http.HandlerFunc{func(_ http.ResponseWriter, r *http.Request) {
				c.PassStorage(r)
				panic(http.ErrAbortHandler)
			}}
		}, 2, ""},
		{"hangs", func(*sinktest.Cloud) []http.HandlerFunc { return []http.HandlerFunc{hang} }, 2, ""},
		{"forbidden", func(*sinktest.Cloud) []http.HandlerFunc { return []http.HandlerFunc{status(403)} }, 1, "403"},
		{"unauthorized", func(*sinktest.Cloud) []http.HandlerFunc { return []http.HandlerFunc{status(401)} }, 1, "401"},
		{"no bucket", func(*sinktest.Cloud) []http.HandlerFunc { return []http.HandlerFunc{status(404)} }, 1, "404"},
		{"bad request", func(*sinktest.Cloud) []http.HandlerFunc { return []http.HandlerFunc{status(400)} }, 1, "400"},
		{"organisation policy", func(*sinktest.Cloud) []http.HandlerFunc {
			return []http.HandlerFunc{preconditionFailed("orgPolicyConstraintFailed")}
		}, 1, "412"},
		{"precondition without a reason", func(*sinktest.Cloud) []http.HandlerFunc { return []http.HandlerFunc{status(412)} }, 1, "412"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cloud := sinktest.New(t)
			u := &uploads{answers: tt.answers(cloud)}
			cloud.FailStorage(u.ServeHTTP)
			s := open(t, sinktest.ArchiveSink+"?linger=0s", sink.Options{Timeout: 3 * time.Second})
			verdicts := s.Put(t.Context(), sinktest.Batch("s", 2))
			switch {
			case tt.err == "" && verdicts != nil:
				t.Errorf("verdicts %v", verdicts)
			case tt.err != "" && (len(verdicts) != 2 || change.IsPermanent(verdicts[1]) || !strings.Contains(verdicts[1].Error(), tt.err)):
				t.Errorf("verdicts %v, want %q", verdicts, tt.err)
			}
			if u.n.Load() != tt.attempts {
				t.Errorf("%d attempts, want %d", u.n.Load(), tt.attempts)
			}
			want := 1
			if tt.err != "" {
				want = 0
			}
			if n := len(cloud.Objects(t)); n != want {
				t.Errorf("%d objects, want %d", n, want)
			}
		})
	}
}

// A failed write fails its changes and no others. A retry succeeds.
func TestPut_failureOfOneFolder(t *testing.T) {
	cloud := sinktest.New(t)
	s := open(t, sinktest.ArchiveSink, sink.Options{})
	cloud.FailStorage(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if isUpload(r) && bytes.Contains(body, []byte("set=bad")) {
			w.WriteHeader(http.StatusForbidden)
		}
	})
	b := sink.Batch{Changes: []format.Parsed{sinktest.One("good", 1), sinktest.One("bad", 2), sinktest.One("good", 3)}}
	verdicts := s.Put(t.Context(), b)
	if len(verdicts) != 3 || verdicts[0] != nil || verdicts[1] == nil || change.IsPermanent(verdicts[1]) || verdicts[2] != nil {
		t.Fatalf("verdicts %v, want an error on the second", verdicts)
	}
	cloud.FailStorage(nil)
	if verdicts := s.Put(t.Context(), b); verdicts != nil {
		t.Errorf("retried: %v", verdicts)
	}
	if n := len(cloud.Objects(t)); n != 2 {
		t.Errorf("%d objects, want 2", n)
	}
}

// If an object was written but every response was lost, a retry of its batch together with
// another batch does not store its changes twice.
func TestPut_allResponsesLost(t *testing.T) {
	cloud := sinktest.New(t)
	s := open(t, sinktest.ArchiveSink+"?linger=100ms", sink.Options{Timeout: 2 * time.Second})
	cloud.FailStorage(func(_ http.ResponseWriter, r *http.Request) {
		if isUpload(r) {
			cloud.PassStorage(r)
			panic(http.ErrAbortHandler)
		}
	})
	if verdicts := s.Put(t.Context(), sinktest.Batch("s", 2)); len(verdicts) != 2 || change.IsPermanent(verdicts[0]) {
		t.Fatalf("verdicts %v", verdicts)
	}
	cloud.FailStorage(nil)
	other := make(chan sink.Verdicts)
	go func() {
		other <- s.Put(t.Context(), sink.Batch{Changes: []format.Parsed{sinktest.One("s", 7)}})
	}()
	if verdicts := s.Put(t.Context(), sinktest.Batch("s", 2)); verdicts != nil {
		t.Errorf("retried: %v", verdicts)
	}
	if verdicts := <-other; verdicts != nil {
		t.Errorf("other batch: %v", verdicts)
	}
	var all []byte
	objects := cloud.Objects(t)
	for _, o := range objects {
		all = append(all, o.Content...)
	}
	if len(objects) != 2 || bytes.Count(all, []byte("\n")) != 3 {
		t.Errorf("%d objects: %s", len(objects), all)
	}
}

// A write that is cancelled stores nothing: its request is aborted before its end.
func TestPut_cancelledDuringUpload(t *testing.T) {
	cloud := sinktest.New(t)
	s := open(t, sinktest.ArchiveSink+"?linger=0s", sink.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	returned, ended := make(chan struct{}), make(chan error, 10)
	cloud.FailStorage(func(_ http.ResponseWriter, r *http.Request) {
		if !isUpload(r) {
			return
		}
		_, content, err := sinktest.Upload(r)
		if err == nil {
			cancel()
			<-returned
			_, err = io.Copy(io.Discard, content)
		}
		ended <- err
		panic(http.ErrAbortHandler)
	})
	b := sinktest.Batch("s", 2)
	b.Changes[0].Data = []byte(`{"text":"` + strings.Repeat("x", 16<<20) + `"}`)
	verdicts := s.Put(ctx, b)
	close(returned)
	if len(verdicts) != 2 || change.IsPermanent(verdicts[0]) || !errors.Is(verdicts[0], context.Canceled) {
		t.Errorf("verdicts %v, want %v", verdicts, context.Canceled)
	}
	changetest.WaitFor(t, "the end of the request", func() bool { return len(ended) > 0 })
	if err := <-ended; err == nil {
		t.Error("the request was complete")
	}
	cloud.FailStorage(nil)
	if n := len(cloud.Objects(t)); n != 0 {
		t.Errorf("%d objects, want none", n)
	}
}

func TestMetrics(t *testing.T) {
	cloud := sinktest.New(t)
	registry := prometheus.NewRegistry()
	first := open(t, sinktest.ArchiveSink+"?linger=0s", sink.Options{Metrics: registry})
	second := open(t, sinktest.ArchiveSink+"?linger=0s", sink.Options{Metrics: registry})
	for _, s := range []sink.Sink{first, second} {
		if verdicts := s.Put(t.Context(), sinktest.Batch("s", 2)); verdicts != nil {
			t.Fatal(verdicts)
		}
	}
	cloud.FailStorage(status(http.StatusForbidden))
	first.Put(t.Context(), sinktest.Batch("s", 3))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.Metric {
			name := f.GetName()
			for _, l := range m.Label {
				if l.GetName() == "status" {
					name += " " + l.GetValue()
				} else if l.GetValue() != sinktest.ArchiveSink+"?linger=0s" {
					t.Errorf("%s has the label %s=%s", name, l.GetName(), l.GetValue())
				}
			}
			got[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + m.GetHistogram().GetSampleSum()
			if strings.HasSuffix(name, "seconds") {
				got[name] = float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	want := map[string]float64{
		"aerosink_archive_objects_total written": 1, "aerosink_archive_objects_total there": 1, "aerosink_archive_objects_total failed": 1,
		"aerosink_archive_object_bytes": 16, "aerosink_archive_object_changes": 2, "aerosink_archive_write_seconds": 3, "aerosink_archive_in_flight_bytes": 0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
