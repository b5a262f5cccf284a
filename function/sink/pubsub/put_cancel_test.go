package pubsub_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// A cancelled Put returns at once. Nothing more is sent once no Put is left.
func TestPut_cancelled(t *testing.T) {
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
			for i := range 20 { // some are in flight, others queued
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
			changetest.WaitFor(t, "the end of all requests", func() bool { return metric(t, metrics, "queued_messages") == 0 })
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

func TestPut_cancelledBesideOthers(t *testing.T) {
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
	changetest.WaitFor(t, "one queued message", func() bool { return metric(t, metrics, "queued_messages") == 2 })
	over := make(chan sink.Verdicts)
	go func() { over <- s.Put(ctx, versions(version(3, 1))) }()
	changetest.WaitFor(t, "two queued messages", func() bool { return metric(t, metrics, "queued_messages") == 3 })
	release <- struct{}{}
	<-first // both are in flight, in one request
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

// When a Put is cancelled after a part of its request was published, all of it comes
// again, and no part is held back by the rest.
func TestPut_cancelledAfterPartWasPublished(t *testing.T) {
	last := make(chan struct{})
	cloud := newServer(t, func(ctx context.Context, r *pubsubpb.PublishRequest) error {
		switch data := string(r.GetMessages()[0].GetData()); {
		case len(r.GetMessages()) > 1 || data == "2.1":
			return status.Error(codes.InvalidArgument, "not 2.1")
		case data == "1.2":
			close(last)
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	})
	metrics := prometheus.NewRegistry()
	s := open(t, sinktest.PubSubSink+"?ordering=1&pause=1m", sink.Options{Metrics: metrics})
	b := versions(version(1, 1), version(2, 1), version(1, 2))
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-last
		cancel()
	}()
	if got := outcome(b, s.Put(ctx, b)); got != "---" {
		t.Errorf("cancelled: %s", got)
	}
	changetest.WaitFor(t, "the end of the request", func() bool { return metric(t, metrics, "queued_messages") == 0 })
	cloud.setFault(nil)
	if got := outcome(b, s.Put(t.Context(), b)); got != "+++" {
		t.Errorf("again: %s", got)
	}
	if got := cloud.data(); got != "1.1 1.1 2.1 1.2" {
		t.Errorf("published %s", got)
	}
}
