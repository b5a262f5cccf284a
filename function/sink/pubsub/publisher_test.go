package pubsub_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
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
// it and whatever was published before. Those after which the topic takes none get it when
// they come again, after others.
func TestPut_invalidArgument(t *testing.T) {
	for _, ordering := range []string{"", "?ordering=1"} {
		for _, refused := range [][]int{{0}, {99}, {41}, {0, 1, 2}, {7, 8, 50, 98, 99}} {
			cloud := newServer(t, refusing("bad"))
			s := open(t, sinktest.PubSubSink+ordering, sink.Options{})
			b := sinktest.Batch("s", 100)
			want := []byte(strings.Repeat("+", 100))
			for _, i := range refused {
				b.Changes[i].Data = fmt.Appendf(nil, "bad%d", i)
				want[i] = 'x'
			}
			for i := 99; want[i] == 'x'; i-- {
				want[i] = '-'
			}
			verdicts := s.Put(t.Context(), b)
			if got := outcome(b, verdicts); got != string(want) {
				t.Errorf("%q: messages %v are refused: %s, want %s", ordering, refused, got, want)
			}
			n := len(strings.Fields(cloud.data()))
			if n != 100-len(refused) {
				t.Errorf("%q: %d published", ordering, n)
			}
			rest := again(b, verdicts)
			for i := range 2 {
				if verdicts := s.Put(t.Context(), versions(version(1000, i+1))); verdicts != nil {
					t.Fatal(verdicts)
				}
				verdicts = s.Put(t.Context(), rest)
			}
			if got := outcome(rest, verdicts); strings.Trim(got, "x") != "" {
				t.Errorf("%q: messages %v are refused, those at the end again: %s", ordering, refused, got)
			}
		}
	}
}

func TestPut_topicThatRefusesEverything(t *testing.T) {
	cloud := newServer(t, refusing(""))
	s := open(t, sinktest.PubSubSink, sink.Options{})
	put := func(b sink.Batch) string { return outcome(b, s.Put(t.Context(), b)) }
	named := 0
	of := func(what string, n int) sink.Batch {
		b := sinktest.Batch("s", n)
		for i := range b.Changes {
			named++
			b.Changes[i].Data = fmt.Appendf(nil, "%s%d", what, named)
		}
		return b
	}
	first := of("good", 1)
	if got := put(first); got != "-" {
		t.Errorf("topic that has accepted nothing yet: %s", got)
	}
	if got := put(of("good", 100)); got != strings.Repeat("-", 100) {
		t.Errorf("batch for it: %s", got)
	}
	if n := cloud.requestCount(); n > 40 {
		t.Errorf("%d requests to find that out, want at most 40", n)
	}
	cloud.setFault(refusing("bad"))
	bad := of("bad", 1)
	if got := put(first) + put(bad) + put(of("good", 1)) + put(bad) + put(of("good", 1)) + put(bad); got != "+-+-+x" {
		t.Errorf("topic that accepts others: %s", got)
	}
	cloud.setFault(refusing(""))
	var got string
	for range 20 {
		got += put(of("good", 1))
	}
	if got += put(first); got != strings.Repeat("-", 21) {
		t.Errorf("topic that no longer accepts anything: %s", got)
	}
	cloud.setFault(refusing("bad"))
	all := of("bad", 20)
	for _, want := range []string{strings.Repeat("-", 20), strings.Repeat("-", 20), strings.Repeat("x", 9) + strings.Repeat("-", 11)} {
		if got := put(of("good", 1)) + put(all); got != "+"+want {
			t.Errorf("batch that it refuses as a whole: %s, want +%s", got, want)
		}
	}
}

// An attempt without a response leaves time for a second.
func TestPut_firstAttemptWithoutResponse(t *testing.T) {
	var once atomic.Bool
	cloud := newServer(t, func(ctx context.Context, _ *pubsubpb.PublishRequest) error {
		if once.CompareAndSwap(false, true) {
			<-ctx.Done()
			return ctx.Err() // a success could still come in time
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
