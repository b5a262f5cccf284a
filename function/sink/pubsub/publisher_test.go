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

// Each response code that Pub/Sub may give, once and then always.
func TestPut_responseCodes(t *testing.T) {
	for _, tt := range []struct {
		code      codes.Code
		transient bool // is retried
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
			if tt.transient != (verdicts == nil) {
				t.Errorf("once: %v", verdicts)
			}
			cloud.setFault(always)
			short, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			verdicts = s.Put(short, sinktest.Batch("s", 1))
			if verdicts == nil || status.Code(verdicts[0]) != tt.code || !strings.Contains(verdicts[0].Error(), sinktest.PubSubSink) {
				t.Errorf("always: %v", verdicts)
			}
			if tt.transient && (!errors.Is(verdicts[0], context.DeadlineExceeded) || change.IsPermanent(verdicts[0])) {
				t.Errorf("always: %v, want the deadline and the response", verdicts[0])
			}
			if n := metric(t, metrics, "requests_total", "code="+tt.code.String(), "sink="+sinktest.PubSubSink); n < 2 {
				t.Errorf("%v requests with the code were counted, want at least 2", n)
			}
		})
	}
}

// refusing returns a fault that refuses requests with a message whose data contains
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

// Of a refused request only the bad messages get a permanent verdict, wherever they are in
// it and whatever was published before.
func TestPut_invalidArgument(t *testing.T) {
	for _, ordering := range []string{"", "?ordering=1"} {
		for _, refused := range [][]int{{0}, {99}, {41}, {0, 1, 2}, {7, 8, 50, 98, 99}} {
			cloud := newServer(t, refusing("bad"))
			s := open(t, sinktest.PubSubSink+ordering, sink.Options{})
			b := sinktest.Batch("s", 100)
			for _, i := range refused {
				b.Changes[i].Data = []byte("bad")
			}
			verdicts := s.Put(t.Context(), b)
			for i := range b.Changes {
				if bad := slices.Contains(refused, i); bad != change.IsPermanent(verdicts[i]) || !bad && verdicts[i] != nil {
					t.Errorf("%q: messages %v are refused, verdict on %d: %v", ordering, refused, i, verdicts[i])
				}
			}
			if n := len(strings.Fields(cloud.data())); n != 100-len(refused) {
				t.Errorf("%q: %d published", ordering, n)
			}
		}
	}
}

func TestPut_topicThatRefusesEverything(t *testing.T) {
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
		t.Errorf("topic that has accepted nothing yet: %s", got)
	}
	if got := put("good", 100); got != strings.Repeat("-", 100) {
		t.Errorf("batch for it: %s", got)
	}
	if n := cloud.requestCount(); n > 40 {
		t.Errorf("%d requests to find that out, want at most 40", n)
	}
	cloud.setFault(refusing("bad"))
	if got := put("good", 1) + put("bad", 1); got != "+x" {
		t.Errorf("topic that accepts others: %s", got)
	}
	cloud.setFault(refusing(""))
	var got string
	for range 20 {
		got += put("good", 1)
	}
	if got != "xxxxxxx"+strings.Repeat("-", 13) {
		t.Errorf("topic that no longer accepts anything: %s", got)
	}
	cloud.setFault(refusing("bad"))
	if got := put("good", 1) + put("bad", 20); got != "+xxxxxxxx"+strings.Repeat("-", 12) {
		t.Errorf("batch that it refuses as a whole: %s", got)
	}
}

// An attempt without a response leaves time for a second.
func TestPut_firstAttemptWithoutResponse(t *testing.T) {
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
	if n := cloud.requestCount(); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}

// A server that accepts connections and never responds delays a Put for its timeout and
// no longer.
func TestPut_silentServer(t *testing.T) {
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

// A sink that was used and closed leaves nothing running.
func TestClose_leavesNoGoroutines(t *testing.T) {
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
	changetest.WaitFor(t, "no more goroutines than before", func() bool { return runtime.NumGoroutine() <= before })
}
