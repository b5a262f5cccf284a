package pubsub_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// refusingTopic refuses the messages that hold "bad", and for as many requests as left says
// all others too.
type refusingTopic struct{ left atomic.Int64 }

func (r *refusingTopic) fault(ctx context.Context, request *pubsubpb.PublishRequest) error {
	if r.left.Add(-1) >= 0 {
		return status.Error(codes.InvalidArgument, "not now")
	}
	return refusing("bad")(ctx, request)
}

// A topic that refuses everything for a while, after it took messages or from the start,
// makes no dead letter of a good change, whenever in a request it begins and ends.
func TestPut_topicThatRefusesEverythingForAWhile(t *testing.T) {
	for _, ordering := range []string{"", "?ordering=1"} {
		for _, before := range []int{0, 1} {
			for requests := range 40 {
				topic := &refusingTopic{}
				cloud := newServer(t, topic.fault)
				s := open(t, sinktest.PubSubSink+ordering, sink.Options{})
				for i := range before {
					if verdicts := s.Put(t.Context(), versions(version(1000+i, 1))); verdicts != nil {
						t.Fatal(verdicts)
					}
				}
				topic.left.Store(int64(requests))
				var b sink.Batch
				for i := range 16 {
					b.Changes = append(b.Changes, version(i/2, i%2+1))
				}
				for len(b.Changes) > 0 {
					verdicts := s.Put(t.Context(), b)
					if got := outcome(b, verdicts); strings.Contains(got, "x") {
						t.Fatalf("%q, %d requests refused after %d messages: %s", ordering, requests, before, got)
					}
					b = again(b, verdicts)
				}
				if ordering != "" {
					checkOrder(t, cloud.data())
				}
			}
		}
	}
}

// checkOrder checks that the versions of each record, whose data is RECORD.VERSION, come in
// order, but for repeats.
func checkOrder(t tester, data string) {
	last, seen := map[string]int{}, map[string]bool{}
	for name := range strings.FieldsSeq(data) {
		record, text, _ := strings.Cut(name, ".")
		v, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !seen[name] && v < last[record] {
			t.Fatalf("%s after version %d", name, last[record])
		}
		seen[name], last[record] = true, max(last[record], v)
	}
}

// tester is a test, or a check of a property.
type tester interface {
	Fatalf(detail string, args ...any)
}

// A change that is refused alone is held back until the topic has taken another, and then a
// second, and is then refused for good.
func TestPut_refusedAlone(t *testing.T) {
	for _, ordering := range []string{"", "?ordering=256&pause=0s"} {
		newServer(t, refusing("bad"))
		s := open(t, sinktest.PubSubSink+ordering, sink.Options{})
		var got string
		for _, name := range []string{"1.1", "2.1bad", "2.1bad", "3.1", "2.1bad", "2.1bad", "2.2bad", "3.2", "2.1bad", "2.1bad", "2.2bad", "3.3", "2.2bad"} {
			b := named(t, name)
			got += outcome(b, s.Put(t.Context(), b))
		}
		if want := "+--+---+xx-+x"; got != want {
			t.Errorf("%q: %s, want %s", ordering, got, want)
		}
	}
}

// What has the record of a refused change waits for it; what has another does not.
func TestPut_refusedAmongVersions(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		names      []string // of changes: those with "bad" are refused
		published  string
	}{
		{"taken before and after", "+x+", []string{"1.1", "2.1bad", "3.1"}, "1.1 3.1"},
		{"a later version waits for another record", "x++", []string{"2.1bad", "2.2", "3.1"}, "3.1 2.2"},
		{"two later versions", "x+x++", []string{"2.1bad", "3.1", "2.2bad", "2.3", "4.1"}, "3.1 4.1 2.3"},
		{"nothing taken since the second", "x+--", []string{"2.1bad", "3.1", "2.2bad", "2.3"}, "3.1"},
		{"only versions of one record", "---", []string{"2.1bad", "2.2", "2.3"}, ""},
		{"taken before alone", "+--", []string{"1.1", "2.1bad", "2.2"}, "1.1"},
		{"several", "xx+xx+", []string{"2.1bad", "3.1bad", "4.1", "5.1bad", "6.1bad", "7.1"}, "4.1 7.1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cloud := newServer(t, refusing("bad"))
			s := open(t, sinktest.PubSubSink+"?ordering=1&pause=1m", sink.Options{})
			b := named(t, tt.names...)
			if got := outcome(b, s.Put(t.Context(), b)); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
			if got := cloud.data(); got != tt.published {
				t.Errorf("published %s, want %s", got, tt.published)
			}
		})
	}
}

// named returns changes whose bytes are their names, each of which begins with
// RECORD.VERSION.
func named(t tester, names ...string) sink.Batch {
	var b sink.Batch
	for _, name := range names {
		var record, v int
		if _, err := fmt.Sscanf(name, "%d.%d", &record, &v); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		p := version(record, v)
		p.Data = []byte(name)
		b.Changes = append(b.Changes, p)
	}
	return b
}

// Whatever the batches, which changes are bad and when the topic refuses everything: each
// good change is published, in the order of its record, and each bad one is refused for good
// at last.
func TestPut_refusalsInAnyMix(t *testing.T) {
	for _, ordering := range []string{"", "?ordering=1&pause=1m", "?ordering=3&pause=1m"} {
		t.Run(ordering, func(t *testing.T) {
			topic := &refusingTopic{}
			cloud := newServer(t, topic.fault)
			s := open(t, sinktest.PubSubSink+ordering, sink.Options{})
			m := &mix{s: s, topic: topic}
			rapid.Check(t, func(rt *rapid.T) {
				m.check(rt)
				if ordering != "" {
					checkOrder(rt, cloud.data())
				}
			})
		})
	}
}

// mix puts batches of good and bad changes, each check with records of its own.
type mix struct {
	s       sink.Sink
	topic   *refusingTopic
	records int
}

func (m *mix) check(t *rapid.T) {
	first, versions := m.records, map[int]int{}
	m.records += 4
	m.topic.left.Store(0)
	outage := rapid.IntRange(0, 4).Draw(t, "Put before which the topic begins to refuse everything")
	for put := range rapid.IntRange(1, 4).Draw(t, "Puts") {
		if put == outage {
			m.topic.left.Store(rapid.Int64Range(1, 40).Draw(t, "requests"))
		}
		var names []string
		for range rapid.IntRange(1, 12).Draw(t, "changes") {
			record := first + rapid.IntRange(0, 3).Draw(t, "record")
			versions[record]++
			name := fmt.Sprintf("%d.%d", record, versions[record])
			if rapid.IntRange(0, 3).Draw(t, "is bad") == 0 {
				name += "bad"
			}
			names = append(names, name)
		}
		m.putAll(t, named(t, names...))
	}
}

// putAll puts a batch until each change has its outcome, and other records meanwhile.
func (m *mix) putAll(t *rapid.T, b sink.Batch) {
	for puts := 0; len(b.Changes) > 0; puts++ {
		if puts > 100 {
			t.Fatalf("%d changes have no outcome after %d Puts", len(b.Changes), puts)
		}
		verdicts := m.s.Put(context.Background(), b)
		var rest sink.Batch
		for i, outcome := range outcome(b, verdicts) {
			name := string(b.Changes[i].Data)
			switch isBad := strings.HasSuffix(name, "bad"); {
			case outcome == '-':
				rest.Changes = append(rest.Changes, b.Changes[i])
			case isBad != (outcome == 'x'):
				t.Fatalf("%s: %c, verdict %v", name, outcome, verdicts[i])
			}
		}
		b = rest
		if verdicts := m.s.Put(context.Background(), versions(version(m.records, 1))); verdicts != nil && change.IsPermanent(verdicts[0]) {
			t.Fatalf("another: %v", verdicts)
		}
		m.records++
	}
}

// Senders put changes at once, and the topic refuses everything in between. No change
// becomes a dead letter, none is lost, and the versions of a record come in order.
func TestPut_sendersAndATopicThatRefusesEverything(t *testing.T) {
	topic := &refusingTopic{}
	cloud := newServer(t, topic.fault)
	s := open(t, sinktest.PubSubSink+"?ordering=8&pause=1m&linger=1ms", sink.Options{})
	const senders, rounds = 8, 40
	var sending sync.WaitGroup
	for sender := range senders {
		sending.Go(func() {
			for round := range rounds {
				if sender == 0 && round == rounds/2 {
					topic.left.Store(200)
				}
				var b sink.Batch
				for record := range 4 {
					b.Changes = append(b.Changes, version(sender*4+record, round+1))
				}
				for len(b.Changes) > 0 {
					verdicts := s.Put(t.Context(), b)
					if got := outcome(b, verdicts); strings.Contains(got, "x") {
						t.Errorf("%s", got)
						return
					}
					b = again(b, verdicts)
				}
			}
		})
	}
	sending.Wait()
	checkOrder(t, cloud.data())
	seen := map[string]bool{}
	for name := range strings.FieldsSeq(cloud.data()) {
		seen[name] = true
	}
	if len(seen) != senders*4*rounds {
		t.Errorf("%d changes were published, want %d", len(seen), senders*4*rounds)
	}
}
