package fake

import (
	"testing"
	"time"
)

// What is emptied is returned once. Messages keep their order over it.
func TestEmpty(t *testing.T) {
	s := NewSQS()
	if err := s.CreateQueue("a.fifo", nil); err != nil {
		t.Fatal(err)
	}
	send := func(id string) {
		s.queues["a.fifo"].add(&sendEntry{MessageGroupID: id, MessageDeduplicationID: id, MessageBody: id}, time.Unix(1, 0))
	}
	send("1")
	before := s.Empty("a.fifo")
	send("2")
	after := s.Messages("a.fifo")
	if len(before) != 1 || len(after) != 1 || before[0].Body != "1" || after[0].Body != "2" || before[0].SequenceNumber >= after[0].SequenceNumber {
		t.Errorf("%+v, then %+v", before, after)
	}

	k := NewKinesis()
	k.CreateStream("a", 1)
	k.streams["a"].put(&putEntry{PartitionKey: "k", Data: []byte("1")}, time.Unix(1, 0))
	if records := k.Empty("a"); len(records) != 1 || len(k.Records("a")) != 0 {
		t.Errorf("%+v, then %+v", records, k.Records("a"))
	}

	b := NewS3()
	b.CreateBucket("a")
	b.buckets["a"].objects["k"] = &S3Object{Key: "k"}
	if objects := b.Empty("a"); len(objects) != 1 || len(b.Objects("a")) != 0 {
		t.Errorf("%+v, then %+v", objects, b.Objects("a"))
	}

	if s.Empty("b") != nil || k.Empty("b") != nil || b.Empty("b") != nil {
		t.Error("something in a queue, a stream or a bucket that is not there")
	}
}
