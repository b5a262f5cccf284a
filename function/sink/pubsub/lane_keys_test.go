package pubsub_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// A tenth of the ordering keys fail, each with an error of its own. Changes of the others
// are published meanwhile. When the keys work again, what failed has to come first, and
// in the end everything is published, once and in order.
func TestPut_failingOrderingKeys(t *testing.T) {
	const records = 80
	faults := map[string]codes.Code{"3": codes.Unavailable, "13": codes.DeadlineExceeded, "23": codes.ResourceExhausted, "33": codes.PermissionDenied}
	cloud := sinktest.New(t)
	cloud.FailPublish(func(r *pubsubpb.PublishRequest) error {
		return status.Error(faults[r.GetMessages()[0].GetOrderingKey()], "as told") // nil where the code is OK
	})
	s := open(t, sinktest.PubSubSink+"?ordering=40&pause=1m", sink.Options{Timeout: 4 * time.Second})
	var first, second sink.Batch
	for record := range records {
		first.Changes = append(first.Changes, version(record, 1))
		second.Changes = append(second.Changes, version(record, 2))
	}
	want := strings.Repeat("+++-++++++", records/10)
	failed := s.Put(t.Context(), first)
	if got := outcome(first, failed); got != want {
		t.Fatalf("%s, want %s", got, want)
	}
	cloud.FailPublish(nil)
	held := s.Put(t.Context(), second)
	if got := outcome(second, held); got != want {
		t.Errorf("newer versions, once the keys work again: %s, want %s", got, want)
	}
	for _, b := range []sink.Batch{again(first, failed), again(second, held)} {
		if verdicts := s.Put(t.Context(), b); verdicts != nil {
			t.Errorf("again: %s", outcome(b, verdicts))
		}
	}
	published := map[string]string{}
	for _, m := range cloud.Messages() {
		record, v, _ := strings.Cut(string(m.Data), ".")
		published[record] += v
	}
	for record := range records {
		if got := published[strconv.Itoa(record)]; got != "12" {
			t.Errorf("record %d: versions %q were published, want 1 and 2", record, got)
		}
	}
}
