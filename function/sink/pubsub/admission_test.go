package pubsub_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// The queue is bounded, and a change over the limit is refused at once.
func TestPut_overloadByMessages(t *testing.T) {
	release := make(chan struct{})
	cloud := newServer(t, func(context.Context, *pubsubpb.PublishRequest) error {
		<-release
		return nil
	})
	metrics := prometheus.NewRegistry()
	s := open(t, sinktest.PubSubSink+"?ordering=16&max-messages=1000", sink.Options{Metrics: metrics})
	var published, refused atomic.Int64
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			b := sinktest.Batch(fmt.Sprint("s", i), 100)
			verdicts := s.Put(t.Context(), b)
			text := outcome(b, verdicts)
			published.Add(int64(strings.Count(text, "+")))
			for _, err := range verdicts {
				if errors.Is(err, sink.ErrOverloaded) && !change.IsPermanent(err) {
					refused.Add(1)
				}
			}
		})
	}
	changetest.WaitFor(t, "an overload", func() bool { return metric(t, metrics, "messages_total", "verdict=overloaded") == 4000 })
	if n := metric(t, metrics, "queued_messages"); n != 1000 {
		t.Errorf("%v messages queued, want 1000", n)
	}
	close(release)
	wg.Wait()
	if published.Load() != 1000 || refused.Load() != 4000 || len(strings.Fields(cloud.data())) != 1000 {
		t.Errorf("%d published, %d refused", published.Load(), refused.Load())
	}
	if n := metric(t, metrics, "queued_bytes"); n != 0 {
		t.Errorf("%v bytes queued at the end, want 0", n)
	}
	if verdicts := s.Put(t.Context(), sinktest.Batch("s", 1000)); verdicts != nil {
		t.Errorf("afterwards: %v", verdicts)
	}
}

// The queue is bounded in bytes too. Of a Put that exceeds the limit the first changes
// are published.
func TestPut_overloadByBytes(t *testing.T) {
	newServer(t, nil)
	s := open(t, sinktest.PubSubSink+"?max-bytes=10000000", sink.Options{})
	b := sinktest.Batch("s", 8)
	for i := range b.Changes {
		b.Changes[i].Data = bytes.Repeat([]byte("x"), 2_000_000)
	}
	verdicts := s.Put(t.Context(), b)
	if got := outcome(b, verdicts); got != "++++----" {
		t.Errorf("%s, want the first four", got)
	}
	const want = "overloaded: the queue is at a limit: max-messages=100000, max-bytes=10000000"
	if err := verdicts[len(verdicts)-1]; err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("verdict %v, want %s", err, want)
	}
}
