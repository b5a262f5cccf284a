package pubsub_test

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/pubsub"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

func parse(t testing.TB, text string, o sink.Options) sink.Spec {
	t.Helper()
	return sinktest.Parse(t, pubsub.Parse, text, o)
}

func open(t testing.TB, text string, o sink.Options) sink.Sink {
	t.Helper()
	return sinktest.Open(t, parse(t, text, o))
}

func TestPut_attributes(t *testing.T) {
	digest := change.Digest{0x5f, 0xe3, 0xb7} // partition 0x35f
	for _, tt := range []struct {
		name string
		c    change.Change
		want map[string]string
	}{
		{
			"write with all metadata",
			change.Change{Namespace: "shop", Set: "orders", Digest: digest, Generation: 7, LUT: 1735689600123, Expiry: 1893456000},
			map[string]string{"format": "json", "namespace": "shop", "set": "orders", "op": "write", "digest": digest.String(), "generation": "7", "lut": "1735689600123", "expiry": "1893456000", "partition": "863"},
		},
		{
			"write that never expires",
			change.Change{Namespace: "shop", Digest: digest},
			map[string]string{"format": "json", "namespace": "shop", "op": "write", "digest": digest.String(), "expiry": "0", "partition": "863"},
		},
		{
			"write with little metadata",
			change.Change{Namespace: "shop", Digest: digest, Expiry: change.ExpiryUnknown},
			map[string]string{"format": "json", "namespace": "shop", "op": "write", "digest": digest.String(), "partition": "863"},
		},
		{
			"durable delete",
			change.Change{Op: change.DurableDelete, Namespace: "shop", Set: "orders", Digest: digest, Generation: 8, LUT: 1},
			map[string]string{"format": "json", "namespace": "shop", "set": "orders", "op": "durable-delete", "digest": digest.String(), "generation": "8", "lut": "1", "partition": "863"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cloud := sinktest.New(t)
			s := open(t, sinktest.PubSubSink+"?ordering=256", sink.Options{})
			if verdicts := s.Put(t.Context(), sink.Batch{Changes: []format.Parsed{{Change: tt.c, Data: []byte(`{"as":"it came"}`), Format: "json"}}}); verdicts != nil {
				t.Fatal(verdicts)
			}
			m := cloud.Messages()[0]
			if diff := cmp.Diff(tt.want, m.Attributes); diff != "" {
				t.Errorf("attributes (-want +got):\n%s", diff)
			}
			if string(m.Data) != `{"as":"it came"}` || m.OrderingKey != "95" {
				t.Errorf("data %s, ordering key %q", m.Data, m.OrderingKey)
			}
		})
	}
}

func TestPut_orderingKeys(t *testing.T) {
	for _, tt := range []struct {
		parameter string
		want      int // different keys
	}{{"", 1}, {"?ordering=1", 1}, {"?ordering=16", 16}, {"?ordering=4096", 300}} {
		cloud := sinktest.New(t)
		if verdicts := open(t, sinktest.PubSubSink+tt.parameter, sink.Options{}).Put(t.Context(), sinktest.Batch("s", 300)); verdicts != nil {
			t.Fatal(verdicts)
		}
		keys := map[string]bool{}
		for _, m := range cloud.Messages() {
			keys[m.OrderingKey] = true
		}
		if len(keys) != tt.want {
			t.Errorf("%q: %d keys, want %d", tt.parameter, len(keys), tt.want)
		}
	}
}

// A failed request fails its changes and no others. They can be retried at once, even
// with the key that failed.
func TestPut_failureOfOneKey(t *testing.T) {
	cloud := sinktest.New(t)
	s := open(t, sinktest.PubSubSink+"?ordering=4", sink.Options{})
	cloud.FailPublish(func(r *pubsubpb.PublishRequest) error {
		if r.Messages[0].OrderingKey == "2" {
			return status.Error(codes.PermissionDenied, "not you")
		}
		return nil
	})
	b := sinktest.Batch("s", 8)
	verdicts := s.Put(t.Context(), b)
	if len(verdicts) != len(b.Changes) {
		t.Fatalf("%d verdicts", len(verdicts))
	}
	for i, err := range verdicts {
		if failed := i%4 == 2; failed != (err != nil) || change.IsPermanent(err) {
			t.Errorf("change %d: %v", i, err)
		}
	}
	if n := len(cloud.Messages()); n != 6 {
		t.Errorf("%d messages published, want 6", n)
	}
	cloud.FailPublish(nil)
	if verdicts := s.Put(t.Context(), sink.Batch{Changes: []format.Parsed{b.Changes[2], b.Changes[6]}}); verdicts != nil {
		t.Errorf("retried: %v", verdicts)
	}
	if n := len(cloud.Messages()); n != 8 {
		t.Errorf("%d messages published, want 8", n)
	}
}

// A transient failure is retried within the timeout of the Put; a lasting one ends with it.
func TestPut_unavailable(t *testing.T) {
	cloud := sinktest.New(t)
	var calls atomic.Int64
	cloud.FailPublish(func(*pubsubpb.PublishRequest) error {
		if calls.Add(1) == 1 {
			return status.Error(codes.Unavailable, "in a moment")
		}
		return nil
	})
	if verdicts := open(t, sinktest.PubSubSink, sink.Options{}).Put(t.Context(), sinktest.Batch("s", 1)); verdicts != nil {
		t.Errorf("unavailable for a moment: %v", verdicts)
	}
	cloud.FailPublish(func(*pubsubpb.PublishRequest) error { return status.Error(codes.Unavailable, "not today") })
	s := open(t, sinktest.PubSubSink, sink.Options{Timeout: 200 * time.Millisecond})
	if verdicts := s.Put(t.Context(), sinktest.Batch("s", 1)); verdicts == nil || change.IsPermanent(verdicts[0]) {
		t.Errorf("unavailable: %v", verdicts)
	}
}

func TestPut_oversizedMessage(t *testing.T) {
	sinktest.New(t)
	b := sinktest.Batch("s", 2)
	b.Changes[0].Data = bytes.Repeat([]byte("x"), 10_000_001)
	verdicts := open(t, sinktest.PubSubSink, sink.Options{}).Put(t.Context(), b)
	if verdicts == nil || !change.IsPermanent(verdicts[0]) || verdicts[1] != nil {
		t.Errorf("verdicts %v, want a permanent one on the first", verdicts)
	}
}

func TestPut_cancelledBefore(t *testing.T) {
	cloud := sinktest.New(t)
	release := make(chan struct{})
	cloud.FailPublish(func(*pubsubpb.PublishRequest) error { <-release; return nil })
	s := open(t, sinktest.PubSubSink, sink.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if verdicts := s.Put(ctx, sinktest.Batch("s", 1)); verdicts == nil || !errors.Is(verdicts[0], context.Canceled) {
		t.Errorf("verdicts %v, want cancelled", verdicts)
	}
	close(release)
}
