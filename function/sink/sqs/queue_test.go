package sqs

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/deadletter"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/awstest"
	"github.com/aerosink/aerosink/function/sink/awstest/fake"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// open opens the sink with a URL, and closes it when the test ends.
func open(t testing.TB, url string, o sink.Options) sink.Sink {
	t.Helper()
	return sinktest.Open(t, sinktest.Parse(t, Parse, url, o))
}

// version returns a version of record number record: its generation and LUT.
func version(record, number int) format.Parsed {
	c := change.Change{Namespace: "shop", Set: "orders", Digest: change.Digest{byte(record), byte(record >> 8)}, Generation: uint32(number), LUT: sinktest.Hour.UnixMilli() + int64(number)}
	return format.Parsed{Change: c, Data: fmt.Appendf(nil, "%d.%d", record, number), Format: "json"}
}

func batchOf(changes ...format.Parsed) sink.Batch { return sink.Batch{Changes: changes} }

// bodies returns the bodies of the messages in a queue, in order of arrival.
func bodies(cloud *awstest.Cloud, queue string) string {
	var all []string
	for _, m := range cloud.SQS.Messages(queue) {
		all = append(all, m.Body)
	}
	return strings.Join(all, " ")
}

func wantBodies(t *testing.T, cloud *awstest.Cloud, want string) {
	t.Helper()
	if got := bodies(cloud, awstest.Queue); got != want {
		t.Errorf("messages %q, want %q", got, want)
	}
}

// verdictsOf returns a word for each verdict.
func verdictsOf(v sink.Verdicts, n int) string {
	words := make([]string, n)
	for i := range words {
		switch {
		case v == nil || v[i] == nil:
			words[i] = "ok"
		case change.IsPermanent(v[i]):
			words[i] = "never"
		case errors.Is(v[i], sink.ErrOverloaded):
			words[i] = "overloaded"
		default:
			words[i] = "retry"
		}
	}
	return strings.Join(words, " ")
}

func wantVerdicts(t *testing.T, v sink.Verdicts, want string) {
	t.Helper()
	if got := verdictsOf(v, len(strings.Fields(want))); got != want {
		t.Errorf("verdicts %s, want %s: %v", got, want, v)
	}
}

// A message has the bytes of the change, ten attributes at most, and the trace.
func TestPut_message(t *testing.T) {
	cloud := awstest.Start(t)
	s := open(t, awstest.QueueSink, sink.Options{})
	p := version(300, 7)
	p.Change.Expiry = 1_800_000_000
	b := batchOf(p)
	b.TraceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	wantVerdicts(t, s.Put(t.Context(), b), "ok")
	want := []fake.SQSMessage{{
		MessageID: "00000000-0000-4000-8000-000000000001", SequenceNumber: "00000000000000000256",
		Group: "p44", DeduplicationID: "a847e0a9.LAEAAAAAAAAAAAAAAAAAAAAAAAA.mwrtkhwc.7.write", Body: "300.7",
		Attributes: map[string]string{
			"format": "json", "namespace": "shop", "set": "orders", "op": "write", "digest": "LAEAAAAAAAAAAAAAAAAAAAAAAAA=",
			"partition": "300", "generation": "7", "lut": "1795350896796", "expiry": "1800000000",
		},
		Types: map[string]string{
			"format": "String", "namespace": "String", "set": "String", "op": "String", "digest": "String",
			"partition": "Number", "generation": "Number", "lut": "Number", "expiry": "Number",
		},
		SystemAttributes: map[string]string{"AWSTraceHeader": "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=1"},
	}}
	if diff := cmp.Diff(want, cloud.SQS.Messages(awstest.Queue)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The group is the partition modulo ordering, or the one of group=queue.
func TestPut_group(t *testing.T) {
	for query, want := range map[string]string{"": "p255", "?ordering=1": "p0", "?ordering=100": "p95", "?ordering=4096": "p4095", "?group=queue": "changes", "?mode=packed": "p15"} {
		cloud := awstest.Start(t)
		wantVerdicts(t, open(t, awstest.QueueSink+query, sink.Options{}).Put(t.Context(), batchOf(version(4095, 1))), "ok")
		if m := cloud.SQS.Messages(awstest.Queue); len(m) != 1 || m[0].Group != want {
			t.Errorf("%s: messages %+v, want group %s", query, m, want)
		}
	}
}

// What SQS does not take as text is Base64, and says so. The ten attributes are the most that
// there are.
func TestPut_notText(t *testing.T) {
	cloud := awstest.Start(t)
	s := open(t, awstest.QueueSink, sink.Options{})
	for _, data := range []string{"\xff\xfe", "a\x00b", "\uFFFE", "long enough for words of 8 bytes\x1f", "\xed\xa0\x80"} {
		p := version(1, 1)
		p.Change.Expiry = 5
		p.Change.LUT += int64(len(cloud.SQS.Messages(awstest.Queue)))
		p.Data = []byte(data)
		wantVerdicts(t, s.Put(t.Context(), batchOf(p)), "ok")
		m := cloud.SQS.Messages(awstest.Queue)
		got := m[len(m)-1]
		body, err := base64.StdEncoding.DecodeString(got.Body)
		if string(body) != data || err != nil || got.Attributes["encoding"] != "base64" || len(got.Attributes) != 10 {
			t.Errorf("%q: %q, %v, attributes %v", data, got.Body, err, got.Attributes)
		}
	}
}

// An attribute that SQS refuses is left out, and one that is not known.
func TestPut_attributesLeftOut(t *testing.T) {
	cloud := awstest.Start(t)
	s := open(t, awstest.QueueSink, sink.Options{})
	p := format.Parsed{Data: []byte("x"), Format: "json"}
	p.Change = change.Change{Namespace: "sh\x01op", Set: "\xff", Op: change.Delete, Expiry: 5}
	wantVerdicts(t, s.Put(t.Context(), batchOf(p)), "ok")
	want := map[string]string{"format": "json", "op": "delete", "digest": "AAAAAAAAAAAAAAAAAAAAAAAAAAA=", "partition": "0"}
	if diff := cmp.Diff(want, cloud.SQS.Messages(awstest.Queue)[0].Attributes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A message of exactly the size that the queue takes is sent, one of a byte more is not: it is
// a dead letter.
func TestPut_oversize(t *testing.T) {
	for _, tt := range []struct {
		queue map[string]string
		limit int
	}{{nil, 1 << 20}, {map[string]string{"MaximumMessageSize": "2048"}, 2048}} {
		cloud := awstest.Start(t)
		if err := cloud.SQS.CreateQueue("sized.fifo", tt.queue); err != nil {
			t.Fatal(err)
		}
		s := open(t, strings.Replace(awstest.QueueSink, awstest.Queue, "sized.fifo", 1), sink.Options{})
		wantVerdicts(t, s.Put(t.Context(), batchOf(version(1, 1))), "ok")
		m := cloud.SQS.Messages("sized.fifo")[0]
		overhead := 0
		for name, v := range m.Attributes {
			overhead += len(name) + len(m.Types[name]) + len(v)
		}
		fits, tooLarge := version(2, 1), version(3, 1)
		fits.Data = bytes.Repeat([]byte("x"), tt.limit-overhead)
		tooLarge.Data = append(bytes.Clone(fits.Data), 'x')
		v := s.Put(t.Context(), batchOf(fits, tooLarge))
		wantVerdicts(t, v, "ok never")
		if want := fmt.Sprintf("the message has %d bytes, and the queue takes at most %d", tt.limit+1, tt.limit); !strings.Contains(fmt.Sprint(v), want) {
			t.Errorf("verdicts %v, want %q", v, want)
		}
	}
}

// If the program may not ask for the queue's limit, the queue refuses what is too large.
func TestPut_unknownLimit(t *testing.T) {
	cloud := awstest.Start(t)
	if err := cloud.SQS.CreateQueue("old.fifo", map[string]string{"MaximumMessageSize": "2048"}); err != nil {
		t.Fatal(err)
	}
	cloud.SQS.Fail(func(c *fake.SQSCall) {
		if c.Operation == "GetQueueAttributes" {
			c.Error = "AccessDenied"
		}
	})
	s := open(t, strings.Replace(awstest.QueueSink, awstest.Queue, "old.fifo", 1), sink.Options{})
	large := version(2, 1)
	large.Data = bytes.Repeat([]byte("x"), 2048)
	wantVerdicts(t, s.Put(t.Context(), batchOf(version(1, 1), large, version(3, 1))), "ok never ok")
}

// A call has at most ten messages and 1 MiB, and no two of a record.
func TestPut_callLimits(t *testing.T) {
	cloud := awstest.Start(t)
	var mu sync.Mutex
	var sizes, counts []int
	cloud.SQS.Fail(func(c *fake.SQSCall) {
		mu.Lock()
		defer mu.Unlock()
		if c.Operation != "SendMessageBatch" {
			return
		}
		size, digests := 0, map[string]bool{}
		for _, e := range c.Entries {
			size += len(e.Body)
			for name, v := range e.Attributes {
				size += len(name) + len(e.Types[name]) + len(v)
			}
			if digests[e.Attributes["digest"]] {
				t.Errorf("two versions of a record in one call")
			}
			digests[e.Attributes["digest"]] = true
		}
		counts, sizes = append(counts, len(c.Entries)), append(sizes, size)
	})
	s := open(t, awstest.QueueSink+"?ordering=1", sink.Options{})
	var b sink.Batch
	for i := range 37 {
		p := version(i%30, i)
		if i >= 20 {
			p.Data = bytes.Repeat([]byte("x"), 300<<10)
		}
		b.Changes = append(b.Changes, p)
	}
	if v := s.Put(t.Context(), b); v != nil {
		t.Error(v)
	}
	if most := slices.Max(counts); most != 10 {
		t.Errorf("calls of %d messages, want up to 10", counts)
	}
	if most := slices.Max(sizes); most > 1<<20 || most < 900<<10 {
		t.Errorf("calls of %d bytes, want up to %d", sizes, 1<<20)
	}
}

// fails returns a fault that goes wrong with the first n calls that send messages.
func fails(n int, wrong func(c *fake.SQSCall)) func(c *fake.SQSCall) {
	return func(c *fake.SQSCall) {
		if c.Operation == "SendMessageBatch" && n > 0 {
			n--
			wrong(c)
		}
	}
}

// failEntries refuses all messages that a condition holds for.
func failEntries(c *fake.SQSCall, e fake.SQSError, is func(body string) bool) {
	c.FailEntry = map[int]fake.SQSError{}
	for i := range c.Entries {
		if is(c.Entries[i].Body) {
			c.FailEntry[i] = e
		}
	}
}

func every(string) bool { return true }

// Whatever passes by itself is tried again, and the versions of a record stay in order. A
// message of which the answer was lost is in the queue once.
func TestPut_triesAgain(t *testing.T) {
	unavailable := fake.SQSError{Code: "ServiceUnavailable"}
	for name, fault := range map[string]func(c *fake.SQSCall){
		"one message fails": func(c *fake.SQSCall) { failEntries(c, unavailable, func(body string) bool { return body == "1.1" }) },
		"all messages fail": func(c *fake.SQSCall) { failEntries(c, unavailable, every) },
		"one message is throttled": func(c *fake.SQSCall) {
			failEntries(c, fake.SQSError{Code: "RequestThrottled", SenderFault: true}, func(body string) bool { return body == "1.1" })
		},
		"RequestThrottled":      func(c *fake.SQSCall) { c.Error = "RequestThrottled" },
		"ThrottlingException":   func(c *fake.SQSCall) { c.Error = "ThrottlingException" },
		"KmsThrottled":          func(c *fake.SQSCall) { c.Error = "KmsThrottled" },
		"status 429 of a proxy": func(c *fake.SQSCall) { c.Status = 429 },
		"InternalFailure":       func(c *fake.SQSCall) { c.Error = "InternalFailure" },
		"one fails, and SQS blames us": func(c *fake.SQSCall) {
			failEntries(c, fake.SQSError{Code: "InternalError", SenderFault: true}, func(body string) bool { return body == "1.1" })
		},
		"status 408 of a proxy": func(c *fake.SQSCall) { c.Status = 408 },
		"status 500":            func(c *fake.SQSCall) { c.Status = 500 },
		"status 503":            func(c *fake.SQSCall) { c.Error = "ServiceUnavailable" },
		"connection dropped":    func(c *fake.SQSCall) { c.DropConnection = true },
		"answer lost":           func(c *fake.SQSCall) { c.LoseAnswer = true },
	} {
		t.Run(name, func(t *testing.T) {
			cloud := awstest.Start(t)
			cloud.SQS.Fail(fails(1, fault))
			s := open(t, awstest.QueueSink+"?ordering=1", sink.Options{})
			wantVerdicts(t, s.Put(t.Context(), batchOf(version(1, 1), version(1, 2), version(2, 1), version(1, 3))), "ok ok ok ok")
			var of1 []string
			for _, m := range cloud.SQS.Messages(awstest.Queue) {
				if strings.HasPrefix(m.Body, "1.") {
					of1 = append(of1, m.Body)
				}
			}
			if got := strings.Join(of1, " "); got != "1.1 1.2 1.3" {
				t.Errorf("messages %q", bodies(cloud, awstest.Queue))
			}
			if n := len(cloud.SQS.Messages(awstest.Queue)); n != 4 {
				t.Errorf("%d messages", n)
			}
		})
	}
}

// A call that hangs is given up after a third of the time, and made again.
func TestPut_callHangs(t *testing.T) {
	cloud := awstest.Start(t)
	never := make(chan struct{})
	cloud.SQS.Fail(fails(1, func(c *fake.SQSCall) { c.Hang = never }))
	s := open(t, awstest.QueueSink, sink.Options{Timeout: time.Second})
	wantVerdicts(t, s.Put(t.Context(), batchOf(version(1, 1), version(1, 2))), "ok ok")
	wantBodies(t, cloud, "1.1 1.2")
}

// A queue that never answers gets a verdict in time, with what to look at.
func TestPut_timeIsUp(t *testing.T) {
	cloud := awstest.Start(t)
	cloud.SQS.Fail(func(c *fake.SQSCall) {
		if c.Operation == "SendMessageBatch" {
			c.Error = "ServiceUnavailable"
		}
	})
	s := open(t, awstest.QueueSink, sink.Options{Timeout: 200 * time.Millisecond})
	v := s.Put(t.Context(), batchOf(version(1, 1), version(2, 1)))
	wantVerdicts(t, v, "retry retry")
	if !strings.Contains(fmt.Sprint(v), "ServiceUnavailable") {
		t.Errorf("verdicts %v, want the last answer", v)
	}
}

// A request that has ended sends nothing.
func TestPut_cancelledBefore(t *testing.T) {
	cloud := awstest.Start(t)
	s := open(t, awstest.QueueSink, sink.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantVerdicts(t, s.Put(ctx, batchOf(version(1, 1))), "retry")
	wantBodies(t, cloud, "")
}

// What does not pass by itself is answered at once, and says what to do. It makes no dead
// letters.
func TestPut_queueDoesNotWork(t *testing.T) {
	for _, tt := range []struct {
		code   string
		status int
		says   string
	}{
		{"QueueDoesNotExist", 0, "aws sqs create-queue --region eu-west-1 --queue-name changes.fifo --attributes FifoQueue=true"},
		{"InvalidAddress", 0, "aws sqs create-queue"},
		{"AccessDenied", 0, "sqs:SendMessage on arn:aws:sqs:eu-west-1:123456789012:changes.fifo"},
		{"AccessDeniedException", 400, "sqs:SendMessage"},
		{"InvalidClientTokenId", 403, "InvalidClientTokenId"},
		{"InvalidSecurity", 0, "sqs:SendMessage"},
		{"KmsAccessDenied", 0, "kms:GenerateDataKey and kms:Decrypt"},
		{"KmsDisabled", 0, "see that it is enabled"},
		{"KmsNotFound", 0, "kms:GenerateDataKey"},
		{"UnsupportedOperation", 0, "UnsupportedOperation"},
		{"", 404, "404"},
	} {
		t.Run(tt.code, func(t *testing.T) {
			cloud := awstest.Start(t)
			cloud.SQS.Fail(func(c *fake.SQSCall) { c.Error, c.Status = tt.code, tt.status })
			s := open(t, awstest.QueueSink, sink.Options{Timeout: time.Minute})
			began := time.Now()
			v := s.Put(t.Context(), batchOf(version(1, 1), version(2, 1)))
			wantVerdicts(t, v, "retry retry")
			if text := fmt.Sprint(v); !strings.Contains(text, tt.says) || time.Since(began) > time.Minute/2 {
				t.Errorf("verdicts %s, want %q", text, tt.says)
			}
			cloud.SQS.Fail(nil)
			wantVerdicts(t, s.Put(t.Context(), batchOf(version(1, 1), version(2, 1))), "ok ok")
		})
	}
}

func TestPut_queueMissing(t *testing.T) {
	awstest.Start(t)
	s := open(t, "sqs://eu-west-1/123456789012/nowhere.fifo", sink.Options{})
	v := s.Put(t.Context(), batchOf(version(1, 1)))
	wantVerdicts(t, v, "retry")
	if !strings.Contains(fmt.Sprint(v), "create-queue --region eu-west-1 --queue-name nowhere.fifo") {
		t.Errorf("verdicts %v", v)
	}
}

// A message that the queue refuses for what it holds is a dead letter if others are taken. The
// error does not quote it, though SQS does.
func TestPut_refused(t *testing.T) {
	for _, code := range []string{"InvalidMessageContents", "InvalidParameterValue", "MissingParameter"} {
		cloud := awstest.Start(t)
		cloud.SQS.Fail(func(c *fake.SQSCall) {
			failEntries(c, fake.SQSError{Code: code, Message: "Value 2.1 is invalid", SenderFault: true}, func(body string) bool { return body == "2.1" })
		})
		s := open(t, awstest.QueueSink, sink.Options{})
		v := s.Put(t.Context(), batchOf(version(1, 1), version(2, 1), version(2, 2)))
		wantVerdicts(t, v, "ok never ok")
		if text := fmt.Sprint(v); strings.Contains(text, "2.1") || !strings.Contains(text, code) {
			t.Errorf("verdicts %s", text)
		}
	}
}

// A queue that refuses everything makes no dead letters.
func TestPut_everythingRefused(t *testing.T) {
	cloud := awstest.Start(t)
	cloud.SQS.Fail(func(c *fake.SQSCall) {
		failEntries(c, fake.SQSError{Code: "InvalidParameterValue", SenderFault: true}, every)
	})
	s := open(t, awstest.QueueSink, sink.Options{})
	for range 4 {
		wantVerdicts(t, s.Put(t.Context(), batchOf(version(1, 1), version(2, 1), version(3, 1))), "retry retry retry")
	}
}

// Changes of unknown records are told apart: the refusals of one do not count for another.
func TestPut_refusedUnknownRecords(t *testing.T) {
	cloud := awstest.Start(t)
	cloud.SQS.Fail(func(c *fake.SQSCall) {
		failEntries(c, fake.SQSError{Code: "InvalidMessageContents", SenderFault: true}, func(body string) bool { return strings.HasPrefix(body, "unknown") })
	})
	s := open(t, awstest.QueueSink, sink.Options{})
	unknown := func(number int) sink.Batch {
		return batchOf(format.Parsed{Data: fmt.Appendf(nil, "unknown %d", number), Format: "json"})
	}
	for i, want := range []string{"retry", "retry", "retry", "retry"} {
		wantVerdicts(t, s.Put(t.Context(), unknown(i)), want)
		wantVerdicts(t, s.Put(t.Context(), batchOf(version(1, i+1))), "ok")
	}
	for _, want := range []string{"retry", "never"} { // the first was refused before
		wantVerdicts(t, s.Put(t.Context(), unknown(0)), want)
		wantVerdicts(t, s.Put(t.Context(), batchOf(version(2, 1))), "ok")
	}
}

// If SQS refuses a whole call for what is in it, each half is sent by itself, until the message
// is found.
func TestPut_refusedCall(t *testing.T) {
	for _, code := range []string{"InvalidMessageContents", "InvalidParameterValue", "MissingParameter", "BatchRequestTooLong"} {
		cloud := awstest.Start(t)
		cloud.SQS.Fail(func(c *fake.SQSCall) {
			for _, e := range c.Entries {
				if e.Body == "5.1" {
					c.Error, c.Message = code, "the message 5.1 is invalid"
				}
			}
		})
		s := open(t, awstest.QueueSink, sink.Options{})
		var b sink.Batch
		for i := range 10 {
			b.Changes = append(b.Changes, version(i, 1))
		}
		v := s.Put(t.Context(), b)
		wantVerdicts(t, v, "ok ok ok ok ok never ok ok ok ok")
		if text := fmt.Sprint(v); strings.Contains(text, "5.1") {
			t.Errorf("verdicts %s", text)
		}
	}
}

// A queue with a smaller limit for a call, as old ones may have, gets smaller calls.
func TestPut_callTooLong(t *testing.T) {
	cloud := awstest.Start(t)
	cloud.SQS.Fail(func(c *fake.SQSCall) {
		if len(c.Entries) > 3 {
			c.Error = "BatchRequestTooLong"
		}
	})
	s := open(t, awstest.QueueSink, sink.Options{})
	b := sinktest.Batch("orders", 20)
	if v := s.Put(t.Context(), b); v != nil {
		t.Error(v)
	}
	if n := len(cloud.SQS.Messages(awstest.Queue)); n != 20 {
		t.Errorf("%d messages", n)
	}
}

// What failed has to come again before a newer version of its record.
func TestPut_newerVersionWaits(t *testing.T) {
	cloud := awstest.Start(t)
	cloud.SQS.Fail(func(c *fake.SQSCall) { c.Error = "AccessDenied" })
	s := open(t, awstest.QueueSink+"?pause=1m", sink.Options{})
	wantVerdicts(t, s.Put(t.Context(), batchOf(version(1, 1))), "retry")
	cloud.SQS.Fail(nil)
	wantVerdicts(t, s.Put(t.Context(), batchOf(version(1, 2), version(2, 1))), "retry ok")
	wantVerdicts(t, s.Put(t.Context(), batchOf(version(1, 1), version(1, 2))), "ok ok")
	wantBodies(t, cloud, "2.1 1.1 1.2")
}

// With one group there is one call at a time, and all messages are in the order in which they
// were put.
func TestPut_oneGroup(t *testing.T) {
	cloud := awstest.Start(t)
	s := open(t, awstest.QueueSink+"?group=queue", sink.Options{})
	var b sink.Batch
	var want []string
	for i := range 55 {
		b.Changes = append(b.Changes, version(i, 1))
		want = append(want, string(b.Changes[i].Data))
	}
	if v := s.Put(t.Context(), b); v != nil {
		t.Error(v)
	}
	wantBodies(t, cloud, strings.Join(want, " "))
}

// What another instance sends again is dropped by the queue, unless its ID is random.
func TestPut_repeats(t *testing.T) {
	unknownLUT, unknownGeneration := version(1, 1), version(2, 1)
	unknownLUT.Change.LUT, unknownGeneration.Change.Generation = 0, 0
	later, deleted := version(1, 1), version(1, 1)
	later.Change.LUT++
	deleted.Change.Op = change.DurableDelete
	for _, tt := range []struct {
		name, query   string
		first, second format.Parsed
		messages      int
	}{
		{"the same", "", version(1, 1), version(1, 1), 1},
		{"dedup=off", "?dedup=off", version(1, 1), version(1, 1), 2},
		{"unknown LUT", "", unknownLUT, unknownLUT, 2},
		{"unknown generation", "", unknownGeneration, unknownGeneration, 2},
		{"another LUT", "", version(1, 1), later, 2},
		{"another operation", "", version(1, 1), deleted, 2},
		{"another record", "", version(1, 1), version(2, 1), 2},
		{"packed", "?mode=packed", version(1, 1), version(1, 1), 1},
		{"packed, dedup=off", "?mode=packed&dedup=off", version(1, 1), version(1, 1), 2},
		{"packed, unknown LUT", "?mode=packed", unknownLUT, unknownLUT, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cloud := awstest.Start(t)
			for _, p := range []format.Parsed{tt.first, tt.second} {
				wantVerdicts(t, open(t, awstest.QueueSink+tt.query, sink.Options{}).Put(t.Context(), batchOf(p)), "ok")
			}
			if n := len(cloud.SQS.Messages(awstest.Queue)); n != tt.messages {
				t.Errorf("%d messages, want %d", n, tt.messages)
			}
		})
	}
}

// A repetition within a Put has the same ID even if that is random.
func TestPut_answerLostWithoutDedup(t *testing.T) {
	cloud := awstest.Start(t)
	cloud.SQS.Fail(fails(2, func(c *fake.SQSCall) { c.LoseAnswer = true }))
	s := open(t, awstest.QueueSink+"?dedup=off", sink.Options{})
	wantVerdicts(t, s.Put(t.Context(), batchOf(version(1, 1), version(1, 2))), "ok ok")
	wantBodies(t, cloud, "1.1 1.2")
}

// unpack returns the lines of a packed message, which is not compressed or with zstd.
func unpack(t *testing.T, m fake.SQSMessage) string {
	t.Helper()
	if m.Attributes["encoding"] == "" {
		return m.Body
	}
	body, err := base64.StdEncoding.DecodeString(m.Body)
	if err != nil {
		t.Fatal(err)
	}
	d, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	text, err := d.DecodeAll(body, nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// packable returns a change with a bin.
func packable(record, number int) format.Parsed {
	p := version(record, number)
	p.Change.Bins = []change.Bin{{Name: "n", Value: change.IntegerValue(int64(number))}}
	return p
}

// A packed message has all changes of a group, compressed and in Base64.
func TestPut_packed(t *testing.T) {
	for query, encoding := range map[string]string{"": "zstd,base64", "&compression=none": "", "&compression=gzip": "gzip,base64", "&packed=avro": "base64"} {
		t.Run(query, func(t *testing.T) {
			cloud := awstest.Start(t)
			s := open(t, awstest.QueueSink+"?mode=packed&ordering=2"+query, sink.Options{})
			wantVerdicts(t, s.Put(t.Context(), batchOf(packable(1, 1), packable(2, 2), packable(3, 3), packable(1, 4))), "ok ok ok ok")
			messages := cloud.SQS.Messages(awstest.Queue)
			if len(messages) != 2 {
				t.Fatalf("%d messages", len(messages))
			}
			slices.SortFunc(messages, func(a, b fake.SQSMessage) int { return strings.Compare(a.Group, b.Group) })
			m := messages[1]
			lut := sinktest.Hour.UnixMilli()
			want := map[string]string{"format": "ndjson", "changes": "3", "namespace": "shop", "set": "orders", "lut-min": strconv.FormatInt(lut+1, 10), "lut-max": strconv.FormatInt(lut+4, 10)}
			if encoding != "" {
				want["encoding"] = encoding
			}
			if strings.Contains(query, "avro") {
				want["format"] = "avro"
			}
			if diff := cmp.Diff(want, m.Attributes); diff != "" || m.Group != "p1" || m.Types["changes"] != "Number" {
				t.Errorf("group %s, types %v, attributes (-want +got):\n%s", m.Group, m.Types, diff)
			}
			if strings.HasPrefix(encoding, "gzip") || want["format"] == "avro" {
				return
			}
			if text := unpack(t, m); text != "1.1\n3.3\n1.4\n" {
				t.Errorf("lines %q", text)
			}
		})
	}
}

// A packed message that is too large is halved, down to a change that is too large alone.
func TestPut_packedTooLarge(t *testing.T) {
	cloud := awstest.Start(t)
	if err := cloud.SQS.CreateQueue("small.fifo", map[string]string{"MaximumMessageSize": "2048"}); err != nil {
		t.Fatal(err)
	}
	s := open(t, strings.Replace(awstest.QueueSink, awstest.Queue, "small.fifo", 1)+"?mode=packed&ordering=1&compression=none", sink.Options{})
	var b sink.Batch
	for i := range 20 {
		b.Changes = append(b.Changes, packable(i, 1))
	}
	b.Changes[7].Data = bytes.Repeat([]byte("x"), 2048)
	v := s.Put(t.Context(), b)
	wantVerdicts(t, v, "ok ok ok ok ok ok ok never ok ok ok ok ok ok ok ok ok ok ok ok")
	changes := 0
	for _, m := range cloud.SQS.Messages("small.fifo") {
		n, err := strconv.Atoi(m.Attributes["changes"])
		if changes += n; err != nil || strings.Count(unpack(t, m), "\n") != n {
			t.Errorf("%v, message %+v", err, m)
		}
	}
	if changes != 19 {
		t.Errorf("%d changes", changes)
	}
}

// The refusal of a packed message is blamed on the queue, never on all its changes.
func TestPut_packedRefused(t *testing.T) {
	for name, fault := range map[string]func(c *fake.SQSCall){
		"message": func(c *fake.SQSCall) {
			c.FailEntry = map[int]fake.SQSError{0: {Code: "InvalidParameterValue", SenderFault: true}}
		},
		"call": func(c *fake.SQSCall) { c.Error = "InvalidParameterValue" },
	} {
		cloud := awstest.Start(t)
		s := open(t, awstest.QueueSink+"?mode=packed&ordering=2", sink.Options{})
		cloud.SQS.Fail(func(c *fake.SQSCall) {
			if len(c.Entries) > 0 && c.Entries[0].Attributes["changes"] == "2" {
				fault(c)
			}
		})
		v := s.Put(t.Context(), batchOf(packable(0, 1), packable(1, 1), packable(2, 2)))
		if got := verdictsOf(v, 3); got != "retry ok retry" && name == "message" || strings.Contains(got, "never") {
			t.Errorf("%s: verdicts %s", name, got)
		}
		wantVerdicts(t, s.Put(t.Context(), batchOf(packable(1, 2))), "ok")
		for range 3 {
			if got := verdictsOf(s.Put(t.Context(), batchOf(packable(0, 1), packable(2, 2))), 2); got != "retry retry" {
				t.Errorf("%s: verdicts %s", name, got)
			}
		}
	}
}

// A packed message is not larger than every queue takes, unless one change is.
func TestPut_packedSize(t *testing.T) {
	cloud := awstest.Start(t)
	s := open(t, awstest.QueueSink+"?mode=packed&ordering=1&compression=none", sink.Options{})
	var b sink.Batch
	for i := range 12 {
		p := packable(i, 1)
		p.Data = bytes.Repeat([]byte("x"), 50<<10)
		b.Changes = append(b.Changes, p)
	}
	b.Changes[11].Data = bytes.Repeat([]byte("x"), 900<<10)
	if v := s.Put(t.Context(), b); v != nil {
		t.Error(v)
	}
	for _, m := range cloud.SQS.Messages(awstest.Queue) {
		if len(m.Body) > 256<<10 && m.Attributes["changes"] != "1" {
			t.Errorf("a message of %s changes has %d bytes", m.Attributes["changes"], len(m.Body))
		}
	}
}

// A dead letter is its line, in the group of its record. One that comes again is kept again.
func TestPut_deadLetters(t *testing.T) {
	for _, query := range []string{"", "?mode=packed"} {
		cloud := awstest.Start(t)
		s := open(t, strings.Replace(awstest.QueueSink, awstest.Queue, awstest.DeadQueue, 1)+query, sink.Options{})
		p := version(300, 7)
		p.Data = []byte("\xff\x00")
		unread := format.Parsed{Data: []byte("{"), Err: errors.New("unread")}
		b := batchOf(p, unread)
		b.DeadLetters = []sink.DeadLetter{
			{MediaType: "application/json", Reason: "the sink refuses it", Offset: 5, Request: "r-1", Received: sinktest.Hour},
			{MediaType: "application/json", Reason: "unexpected end", Offset: sink.UnknownOffset, Received: sinktest.Hour},
		}
		for range 2 {
			wantVerdicts(t, s.Put(t.Context(), b), "ok ok")
		}
		messages := cloud.SQS.Messages(awstest.DeadQueue)
		if len(messages) != 4 {
			t.Fatalf("%s: %d messages, want each dead letter twice", query, len(messages))
		}
		for _, m := range messages {
			l, err := deadletter.ParseLine([]byte(m.Body))
			if err != nil || m.Attributes["encoding"] != "" {
				t.Fatalf("%s: %v, %+v", query, err, m)
			}
			if l.Reason == "unexpected end" {
				if string(l.Message) != "{" || len(m.Attributes) != 1 {
					t.Errorf("%s: %+v, attributes %v", query, l, m.Attributes)
				}
				continue
			}
			want := map[string]string{"reason": "the sink refuses it", "namespace": "shop", "set": "orders", "request": "r-1"}
			if diff := cmp.Diff(want, m.Attributes); diff != "" || string(l.Message) != "\xff\x00" || *l.Offset != 5 || m.Group != map[string]string{"": "p44", "?mode=packed": "p12"}[query] {
				t.Errorf("%s: %+v in group %s, attributes (-want +got):\n%s", query, l, m.Group, diff)
			}
		}
	}
}

// A dead letter that is larger than a message is not lost: the verdict says so.
func TestPut_deadLetterTooLarge(t *testing.T) {
	awstest.Start(t)
	s := open(t, awstest.QueueSink, sink.Options{})
	p := version(1, 1)
	p.Data = bytes.Repeat([]byte("x"), 1<<20)
	b := batchOf(p)
	b.DeadLetters = []sink.DeadLetter{{Reason: "too large", Received: sinktest.Hour}}
	wantVerdicts(t, s.Put(t.Context(), b), "never")
}

// Beyond the limits of the queue in memory, changes are refused at once.
func TestPut_overload(t *testing.T) {
	cloud := awstest.Start(t)
	s := open(t, awstest.QueueSink+"?max-messages=2", sink.Options{})
	wantVerdicts(t, s.Put(t.Context(), batchOf(version(1, 1), version(2, 1), version(3, 1))), "ok ok overloaded")
	if n := len(cloud.SQS.Messages(awstest.Queue)); n != 2 {
		t.Errorf("%d messages", n)
	}
}

// A change that the format of data= cannot express is refused for good, the others go.
func TestPut_otherFormat(t *testing.T) {
	cloud := awstest.Start(t)
	s := open(t, awstest.QueueSink+"?data=xdr", sink.Options{})
	wantVerdicts(t, s.Put(t.Context(), batchOf(packable(1, 1))), "ok")
	m := cloud.SQS.Messages(awstest.Queue)[0]
	if m.Attributes["format"] != "xdr" || m.Attributes["encoding"] != "base64" {
		t.Errorf("message %+v", m)
	}
}

func TestPut_metrics(t *testing.T) {
	cloud := awstest.Start(t)
	cloud.SQS.Fail(fails(1, func(c *fake.SQSCall) { c.Error = "RequestThrottled" }))
	r := prometheus.NewRegistry()
	s := open(t, awstest.QueueSink+"?max-messages=3", sink.Options{Metrics: r})
	wantVerdicts(t, s.Put(t.Context(), batchOf(version(1, 1), version(2, 1), version(3, 1), version(4, 1))), "ok ok ok overloaded")
	want := `
# HELP aerosink_sqs_messages_total Messages by verdict: sent, refused for good, to be retried, or refused because of overload.
# TYPE aerosink_sqs_messages_total counter
aerosink_sqs_messages_total{sink="SINK",verdict="overloaded"} 1
aerosink_sqs_messages_total{sink="SINK",verdict="refused"} 0
aerosink_sqs_messages_total{sink="SINK",verdict="retry"} 0
aerosink_sqs_messages_total{sink="SINK",verdict="sent"} 3
# HELP aerosink_sqs_owed_records Records of the database with a failed change that has not been retried yet.
# TYPE aerosink_sqs_owed_records gauge
aerosink_sqs_owed_records{sink="SINK"} 0
# HELP aerosink_sqs_queued_bytes Bytes queued or in flight.
# TYPE aerosink_sqs_queued_bytes gauge
aerosink_sqs_queued_bytes{sink="SINK"} 0
# HELP aerosink_sqs_queued_messages Messages queued or in flight.
# TYPE aerosink_sqs_queued_messages gauge
aerosink_sqs_queued_messages{sink="SINK"} 0
`
	names := []string{"aerosink_sqs_messages_total", "aerosink_sqs_owed_records", "aerosink_sqs_queued_bytes", "aerosink_sqs_queued_messages"}
	if err := testutil.GatherAndCompare(r, strings.NewReader(strings.ReplaceAll(want, "SINK", awstest.QueueSink+"?max-messages=3")), names...); err != nil {
		t.Error(err)
	}
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == "aerosink_sqs_requests_total" && l.GetName() == "code" {
					calls[l.GetValue()] = m.GetCounter().GetValue()
				}
			}
		}
	}
	if calls["ok"] < 1 || calls["RequestThrottled"] < 1 {
		t.Errorf("calls by code: %v", calls)
	}
}
