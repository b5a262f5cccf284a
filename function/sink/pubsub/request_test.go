package pubsub_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"

	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// With many busy lanes the requests fill up; a single Put is sent at once.
func TestPut_manyLanesFillRequests(t *testing.T) {
	server := sinktest.InstantPubSub(t)
	s := open(t, sinktest.PubSubSink+"?ordering=256&linger=1s", sink.Options{})
	batch := of500()
	const puts = 1000
	concurrently(puts, 160, func() {
		if verdicts := s.Put(t.Context(), batch); verdicts != nil {
			t.Error(errors.Join(verdicts...))
		}
	})
	if n := server.Messages(); n != puts*500 {
		t.Errorf("%d messages", n)
	}
	if each := server.Messages() / server.Requests(); each < 60 {
		t.Errorf("%d messages per request, want at least 60", each)
	}
	one := sinktest.InstantPubSub(t)
	alone := open(t, sinktest.PubSubSink+"?ordering=256&linger=1s", sink.Options{})
	for i := range 5 {
		if verdicts := alone.Put(t.Context(), versions(version(i, 1))); verdicts != nil {
			t.Error(verdicts)
		}
	}
	if n := one.Requests(); n != 5 {
		t.Errorf("%d requests for five Puts, want 5", n)
	}
}

// Concurrent Puts of one change each share requests.
func TestPut_concurrentPutsShareRequests(t *testing.T) {
	server := sinktest.InstantPubSub(t)
	s := open(t, sinktest.PubSubSink+"?linger=1s", sink.Options{})
	batch := kilobytes(1)
	const puts = 20_000
	concurrently(puts, 1000, func() {
		if verdicts := s.Put(t.Context(), batch); verdicts != nil {
			t.Error(verdicts)
		}
	})
	if each := server.Messages() / server.Requests(); each < 10 || server.Messages() != puts {
		t.Errorf("%d messages, %d per request, want at least 10", server.Messages(), each)
	}
}

// A long linger does not keep lanes waiting for longer than their Puts do.
func TestPut_everyLaneGetsItsTurn(t *testing.T) {
	const lanes, atOnce = 256, 200
	var inFlight atomic.Int64 // requests
	var once sync.Once
	enough := make(chan struct{})
	newServer(t, func(ctx context.Context, _ *pubsubpb.PublishRequest) error {
		if inFlight.Add(1) == atOnce {
			once.Do(func() { close(enough) })
		}
		defer inFlight.Add(-1)
		select {
		case <-enough:
		case <-ctx.Done():
		}
		return ctx.Err()
	})
	s := open(t, sinktest.PubSubSink+"?ordering=256&linger=1s", sink.Options{})
	var b sink.Batch
	for i := range lanes {
		b.Changes = append(b.Changes, version(i, 1))
	}
	if got := outcome(b, s.Put(t.Context(), b)); got != strings.Repeat("+", lanes) {
		t.Errorf("verdicts %s", got)
	}
}

// A change costs less than one allocation, including what the server does.
func TestPut_allocations(t *testing.T) {
	sinktest.InstantPubSub(t)
	s := open(t, sinktest.PubSubSink, sink.Options{})
	batch := of500()
	n := testing.AllocsPerRun(50, func() {
		if verdicts := s.Put(t.Context(), batch); verdicts != nil {
			t.Error(verdicts[0])
		}
	})
	if n > 500 {
		t.Errorf("%v allocations for 500 changes", n)
	}
}
