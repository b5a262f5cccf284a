package pubsub_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// Each answer that Pub/Sub may give, once and from then on.
func TestAnswers(t *testing.T) {
	for _, tt := range []struct {
		code   codes.Code
		passes bool // is tried again
	}{
		{codes.Unavailable, true}, {codes.DeadlineExceeded, true}, {codes.ResourceExhausted, true}, {codes.Aborted, true},
		{codes.Internal, true}, {codes.Unknown, true}, {codes.Canceled, true},
		{codes.PermissionDenied, false}, {codes.NotFound, false}, {codes.Unauthenticated, false}, {codes.FailedPrecondition, false}, {codes.InvalidArgument, false},
	} {
		t.Run(tt.code.String(), func(t *testing.T) {
			var once atomic.Bool
			always := func(context.Context, *pubsubpb.PublishRequest) error { return status.Error(tt.code, "as told") }
			cloud := newServer(t, func(ctx context.Context, r *pubsubpb.PublishRequest) error {
				if once.CompareAndSwap(false, true) {
					return always(ctx, r)
				}
				return nil
			})
			metrics := prometheus.NewRegistry()
			s := open(t, sinktest.PubSubSink, sink.Options{Metrics: metrics})
			verdicts := s.Put(t.Context(), sinktest.Batch("s", 1))
			if tt.passes != (verdicts == nil) {
				t.Errorf("once: %v", verdicts)
			}
			cloud.behave(always)
			short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			verdicts = s.Put(short, sinktest.Batch("s", 1))
			if verdicts == nil || status.Code(verdicts[0]) != tt.code || !strings.Contains(verdicts[0].Error(), sinktest.PubSubSink) {
				t.Errorf("always: %v", verdicts)
			}
			if tt.passes && (!errors.Is(verdicts[0], context.DeadlineExceeded) || change.IsPermanent(verdicts[0])) {
				t.Errorf("always: %v, want the deadline and the answer", verdicts[0])
			}
			if n := metric(t, metrics, "requests_total", "code="+tt.code.String(), "sink="+sinktest.PubSubSink); n < 2 {
				t.Errorf("%v requests with the code are counted", n)
			}
		})
	}
}

// refusing returns a fault that refuses requests with a message whose data has the
// word.
func refusing(word string) func(context.Context, *pubsubpb.PublishRequest) error {
	return func(_ context.Context, r *pubsubpb.PublishRequest) error {
		for _, m := range r.GetMessages() {
			if bytes.Contains(m.GetData(), []byte(word)) {
				return status.Error(codes.InvalidArgument, "not this")
			}
		}
		return nil
	}
}

// Of a request that is refused only the guilty messages are, wherever they stand and
// whatever was published before. A topic that takes nothing says nothing about the data.
func TestRefusals(t *testing.T) {
	for _, ordering := range []string{"", "?ordering=1"} {
		for _, guilty := range [][]int{{0}, {99}, {41}, {0, 1, 2}, {7, 8, 50, 98, 99}} {
			cloud := newServer(t, refusing("bad"))
			s := open(t, sinktest.PubSubSink+ordering, sink.Options{})
			b := sinktest.Batch("s", 100)
			for _, i := range guilty {
				b.Changes[i].Data = []byte("bad")
			}
			verdicts := s.Put(t.Context(), b)
			for i := range b.Changes {
				if bad := slices.Contains(guilty, i); bad != change.IsPermanent(verdicts[i]) || !bad && verdicts[i] != nil {
					t.Errorf("%q: guilty are %v, verdict on %d: %v", ordering, guilty, i, verdicts[i])
				}
			}
			if n := len(strings.Fields(cloud.data())); n != 100-len(guilty) {
				t.Errorf("%q: %d published", ordering, n)
			}
		}
	}
}

func TestRefusalsAlone(t *testing.T) {
	cloud := newServer(t, refusing(""))
	s := open(t, sinktest.PubSubSink, sink.Options{})
	put := func(what string, n int) string {
		t.Helper()
		b := sinktest.Batch("s", n)
		for i := range b.Changes {
			b.Changes[i].Data = []byte(what)
		}
		return outcome(b, s.Put(t.Context(), b))
	}
	if got := put("good", 1); got != "-" {
		t.Errorf("a topic that has taken nothing yet: %s", got)
	}
	if got := put("good", 100); got != strings.Repeat("-", 100) {
		t.Errorf("a batch of it: %s", got)
	}
	if n := cloud.asked(); n > 40 {
		t.Errorf("%d requests to find out", n)
	}
	cloud.behave(refusing("bad"))
	if got := put("good", 1) + put("bad", 1); got != "+x" {
		t.Errorf("one that takes others: %s", got)
	}
	cloud.behave(refusing(""))
	var got string
	for range 20 {
		got += put("good", 1)
	}
	if got != "xxxxxxx"+strings.Repeat("-", 13) {
		t.Errorf("one that takes nothing any longer: %s", got)
	}
	cloud.behave(refusing("bad"))
	if got := put("good", 1) + put("bad", 20); got != "+xxxxxxxx"+strings.Repeat("-", 12) {
		t.Errorf("a batch that it refuses whole: %s", got)
	}
}

// An attempt without answer leaves room for a second.
func TestBlackHole(t *testing.T) {
	var once atomic.Bool
	cloud := newServer(t, func(ctx context.Context, _ *pubsubpb.PublishRequest) error {
		if once.CompareAndSwap(false, true) {
			<-ctx.Done()
		}
		return nil
	})
	s := open(t, sinktest.PubSubSink+"?ordering=4", sink.Options{Timeout: 3 * time.Second})
	if verdicts := s.Put(t.Context(), sinktest.Batch("s", 1)); verdicts != nil {
		t.Error(verdicts)
	}
	if n := cloud.asked(); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}

// A server that takes connections and never says a word holds up a Put for its time
// and no longer.
func TestSilence(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("PUBSUB_EMULATOR_HOST", l.Addr().String())
	s := open(t, sinktest.PubSubSink, sink.Options{Timeout: 200 * time.Millisecond})
	verdicts := s.Put(t.Context(), sinktest.Batch("s", 2))
	if len(verdicts) != 2 || !errors.Is(verdicts[1], context.DeadlineExceeded) || change.IsPermanent(verdicts[1]) {
		t.Errorf("verdicts %v, want the deadline", verdicts)
	}
}

// Nothing is left running of a sink that was used and closed.
func TestNothingLeaks(t *testing.T) {
	newServer(t, func(context.Context, *pubsubpb.PublishRequest) error { return nil })
	before := runtime.NumGoroutine()
	for range 5 {
		o := sink.Options{Timeout: time.Second, Metrics: prometheus.NewRegistry()}
		s, err := parse(t, sinktest.PubSubSink+"?ordering=64", o).Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() { s.Put(t.Context(), sinktest.Batch(fmt.Sprint(i), 100)) })
		}
		wg.Wait()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	changetest.WaitFor(t, "as few goroutines as before", func() bool { return runtime.NumGoroutine() <= before })
}
