package pubsub_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// version returns a version of a record, whose bytes are RECORD.VERSION.
func version(record, version int) format.Parsed {
	c := change.Change{Namespace: "shop", Digest: change.Digest{byte(record), byte(record >> 8), 1}, Generation: uint32(version)}
	return format.Parsed{Change: c, Data: fmt.Appendf(nil, "%d.%d", record, version), Format: "json"}
}

func versions(of ...format.Parsed) sink.Batch { return sink.Batch{Changes: of} }

// outcome returns a character for each change: + published, x refused for good, - to be
// retried.
func outcome(b sink.Batch, verdicts sink.Verdicts) string {
	var text strings.Builder
	for i := range b.Changes {
		switch {
		case verdicts == nil || verdicts[i] == nil:
			text.WriteByte('+')
		case change.IsPermanent(verdicts[i]):
			text.WriteByte('x')
		default:
			text.WriteByte('-')
		}
	}
	return text.String()
}

func forbidden(context.Context, *pubsubpb.PublishRequest) error {
	return status.Error(codes.PermissionDenied, "not you")
}

// No change of a record overtakes one that failed.
func TestPut_nothingOvertakesAFailedChange(t *testing.T) {
	cloud := newServer(t, forbidden)
	s := open(t, sinktest.PubSubSink+"?ordering=2&pause=1m", sink.Options{})
	put := func(want string, changes ...format.Parsed) {
		t.Helper()
		b := versions(changes...)
		if got := outcome(b, s.Put(t.Context(), b)); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	put("--", version(2, 1), version(2, 2))
	cloud.setFault(nil)
	put("-+", version(2, 3), version(4, 1)) // record 4 is in the same lane
	put("+", version(1, 1))                 // record 1 is in the other lane
	put("--", version(2, 2), version(2, 1)) // 2.1 is next, but not after 2.2
	put("+", version(2, 1))
	put("-", version(2, 3))
	put("++", version(2, 2), version(2, 3))
	put("+", version(2, 4))
	if want, got := "4.1 1.1 2.1 2.2 2.3 2.4", cloud.data(); want != got {
		t.Errorf("published %s, want %s", got, want)
	}
}

// The database ships only the newest version of a record, so one that failed need not
// come again. It holds back newer ones for the pause and no longer.
func TestPut_afterThePause(t *testing.T) {
	cloud := newServer(t, forbidden)
	s := open(t, sinktest.PubSubSink+"?ordering=2&pause=0s", sink.Options{})
	if verdicts := s.Put(t.Context(), versions(version(2, 1))); verdicts == nil {
		t.Fatal("published")
	}
	cloud.setFault(nil)
	if verdicts := s.Put(t.Context(), versions(version(2, 2))); verdicts != nil {
		t.Error(verdicts)
	}
}

// The metric drops expired records even if their lane gets no more changes.
func TestMetrics_owedRecordsAfterThePause(t *testing.T) {
	newServer(t, forbidden)
	metrics := prometheus.NewRegistry()
	s := open(t, sinktest.PubSubSink+"?ordering=2&pause=1s", sink.Options{Metrics: metrics})
	if verdicts := s.Put(t.Context(), versions(version(2, 1))); verdicts == nil {
		t.Fatal("published")
	}
	if n := metric(t, metrics, "owed_records"); n != 1 {
		t.Errorf("owed_records is %v, want 1", n)
	}
	changetest.WaitFor(t, "the end of the pause", func() bool { return metric(t, metrics, "owed_records") == 0 })
}

// What is queued behind a failed request fails too, and is not sent.
func TestPut_failedRequestFailsItsLane(t *testing.T) {
	entered, release := make(chan struct{}, 1), make(chan struct{})
	cloud := newServer(t, func(ctx context.Context, r *pubsubpb.PublishRequest) error {
		entered <- struct{}{}
		<-release
		return forbidden(ctx, r)
	})
	metrics := prometheus.NewRegistry()
	s := open(t, sinktest.PubSubSink+"?ordering=1&pause=1m", sink.Options{Metrics: metrics})
	var wg sync.WaitGroup
	wg.Go(func() {
		if verdicts := s.Put(t.Context(), versions(version(1, 1))); verdicts == nil {
			t.Error("1.1 published")
		}
	})
	<-entered
	wg.Go(func() {
		if verdicts := s.Put(t.Context(), versions(version(1, 2), version(3, 1))); len(verdicts) != 2 || verdicts[0] == nil || verdicts[1] == nil {
			t.Errorf("queued behind 1.1: %v", verdicts)
		}
	})
	changetest.WaitFor(t, "a queue", func() bool { return metric(t, metrics, "queued_messages") == 3 })
	close(release)
	wg.Wait()
	cloud.setFault(nil)
	b := versions(version(1, 2), version(3, 1))
	if got := outcome(b, s.Put(t.Context(), b)); got != "-+" {
		t.Errorf("retried without 1.1: %s, want -+", got)
	}
	if n := cloud.requestCount(); n != 2 {
		t.Errorf("%d requests, want the failed one and that of 3.1", n)
	}
}

// Senders put batches of records that share lanes and retry what fails, while a tenth of
// all requests fail. The versions of a record are published in order the first time, and
// nothing that was reported as published is lost.
func TestPut_orderUnderRandomFailures(t *testing.T) {
	faults := []codes.Code{codes.Unavailable, codes.PermissionDenied, codes.ResourceExhausted, codes.Aborted, codes.NotFound}
	cloud := newServer(t, func(context.Context, *pubsubpb.PublishRequest) error {
		if rand.IntN(10) == 0 {
			return status.Error(faults[rand.IntN(len(faults))], "injected")
		}
		return nil
	})
	s := open(t, sinktest.PubSubSink+"?ordering=8&pause=1m&linger=1ms", sink.Options{Timeout: 20 * time.Second})
	const senders, rounds, each = 16, 30, 12
	var wg sync.WaitGroup
	for sender := range senders {
		wg.Go(func() {
			for round := range rounds {
				var b sink.Batch
				for i := range each { // three versions of each of four records
					b.Changes = append(b.Changes, version(sender*4+i%4, round*3+i/4+1))
				}
				for len(b.Changes) > 0 {
					b = again(b, s.Put(t.Context(), b))
				}
			}
		})
	}
	wg.Wait()
	seen := map[string]int{}
	for name := range strings.SplitSeq(cloud.data(), " ") {
		record, text, _ := strings.Cut(name, ".")
		v, _ := strconv.Atoi(text)
		if v > seen[record]+1 {
			t.Fatalf("record %s: version %d after %d", record, v, seen[record])
		}
		seen[record] = max(seen[record], v)
	}
	for record := range senders * 4 {
		if last := seen[strconv.Itoa(record)]; last != rounds*3 {
			t.Errorf("record %d: last version %d, want %d", record, last, rounds*3)
		}
	}
}

// again returns the changes of a batch that failed.
func again(b sink.Batch, verdicts sink.Verdicts) sink.Batch {
	var rest sink.Batch
	for i, err := range verdicts {
		if err != nil {
			rest.Changes = append(rest.Changes, b.Changes[i])
		}
	}
	return rest
}
