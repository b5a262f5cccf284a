package pubsub_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// A Put that is cancelled returns at once. Others of its request are published, and
// nothing is sent any longer when none is left.
func TestCancelled(t *testing.T) {
	for _, ordering := range []string{"", "?ordering=1"} {
		t.Run(ordering, func(t *testing.T) {
			release := make(chan struct{})
			cloud := newServer(t, func(ctx context.Context, _ *pubsubpb.PublishRequest) error {
				select {
				case <-release:
				case <-ctx.Done():
				}
				return ctx.Err()
			})
			metrics := prometheus.NewRegistry()
			s := open(t, sinktest.PubSubSink+ordering, sink.Options{Metrics: metrics})
			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			for i := range 20 { // some are under way, others wait
				wg.Go(func() {
					verdicts := s.Put(ctx, versions(version(i, 1)))
					if verdicts == nil || !errors.Is(verdicts[0], context.Canceled) && ordering == "" {
						t.Errorf("%d: %v, want cancelled", i, verdicts)
					}
				})
			}
			changetest.WaitFor(t, "a queue", func() bool { return metric(t, metrics, "queued_messages") == 20 })
			cancel()
			wg.Wait()
			changetest.WaitFor(t, "an end of all requests", func() bool { return metric(t, metrics, "queued_messages") == 0 })
			close(release)
			if got := cloud.data(); got != "" {
				t.Errorf("published %s", got)
			}
			if verdicts := s.Put(t.Context(), versions(version(100, 1))); verdicts != nil {
				t.Errorf("afterwards: %v", verdicts)
			}
		})
	}
}

func TestCancelledBesideOthers(t *testing.T) {
	first, release := make(chan struct{}, 100), make(chan struct{})
	cloud := newServer(t, func(context.Context, *pubsubpb.PublishRequest) error {
		first <- struct{}{}
		<-release
		return nil
	})
	metrics := prometheus.NewRegistry()
	s := open(t, sinktest.PubSubSink+"?ordering=1", sink.Options{Metrics: metrics})
	var wg sync.WaitGroup
	wg.Go(func() { s.Put(t.Context(), versions(version(1, 1))) })
	<-first
	ctx, cancel := context.WithCancel(t.Context())
	wg.Go(func() { // stays
		if verdicts := s.Put(t.Context(), versions(version(2, 1))); verdicts != nil {
			t.Error(verdicts)
		}
	})
	changetest.WaitFor(t, "one that waits", func() bool { return metric(t, metrics, "queued_messages") == 2 })
	over := make(chan sink.Verdicts)
	go func() { over <- s.Put(ctx, versions(version(3, 1))) }()
	changetest.WaitFor(t, "two that wait", func() bool { return metric(t, metrics, "queued_messages") == 3 })
	release <- struct{}{}
	<-first // both are under way, in one request
	cancel()
	if verdicts := <-over; verdicts == nil || !errors.Is(verdicts[0], context.Canceled) {
		t.Errorf("%v, want cancelled", verdicts)
	}
	close(release)
	wg.Wait()
	if got := cloud.data(); got != "1.1 2.1 3.1" {
		t.Errorf("published %s", got)
	}
}
