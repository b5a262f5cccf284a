package fake_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/function/sink/awstest"
	"github.com/aerosink/aerosink/function/sink/awstest/fake"
)

const queueURL = "https://sqs.eu-west-1.amazonaws.com/123456789012/"

// entry returns a message with a group and a deduplication ID.
func entry(id, body string, change ...func(*types.SendMessageBatchRequestEntry)) types.SendMessageBatchRequestEntry {
	e := types.SendMessageBatchRequestEntry{Id: &id, MessageBody: &body, MessageGroupId: aws.String("p1"), MessageDeduplicationId: aws.String("dedup-" + id)}
	for _, c := range change {
		c(&e)
	}
	return e
}

func group(g string) func(*types.SendMessageBatchRequestEntry) {
	return func(e *types.SendMessageBatchRequestEntry) { e.MessageGroupId = &g }
}

func dedup(d string) func(*types.SendMessageBatchRequestEntry) {
	return func(e *types.SendMessageBatchRequestEntry) { e.MessageDeduplicationId = &d }
}

func attribute(name, dataType, value string) func(*types.SendMessageBatchRequestEntry) {
	return func(e *types.SendMessageBatchRequestEntry) {
		if e.MessageAttributes == nil {
			e.MessageAttributes = map[string]types.MessageAttributeValue{}
		}
		v := types.MessageAttributeValue{DataType: &dataType, StringValue: &value}
		if strings.HasPrefix(dataType, "Binary") {
			v.StringValue, v.BinaryValue = nil, []byte(value)
		}
		e.MessageAttributes[name] = v
	}
}

func attributes(n int) func(*types.SendMessageBatchRequestEntry) {
	return func(e *types.SendMessageBatchRequestEntry) {
		for i := range n {
			attribute(*ptr("a%d", i), "String", "v")(e)
		}
	}
}

func trace(header string) func(*types.SendMessageBatchRequestEntry) {
	return func(e *types.SendMessageBatchRequestEntry) {
		e.MessageSystemAttributes = map[string]types.MessageSystemAttributeValue{"AWSTraceHeader": {DataType: aws.String("String"), StringValue: &header}}
	}
}

func entries(n int, change ...func(*types.SendMessageBatchRequestEntry)) []types.SendMessageBatchRequestEntry {
	var all []types.SendMessageBatchRequestEntry
	for i := range n {
		all = append(all, entry(*ptr("m%d", i), "body", change...))
	}
	return all
}

// punctuation is what a group and a deduplication ID may have besides letters and digits.
const punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"

// batches are calls of SendMessageBatch and what SQS does with them: the code of the error
// with which it refuses the call, or else a result for each entry, + if it is stored.
var batches = []struct {
	name    string
	entries []types.SendMessageBatchRequestEntry
	code    string
	results string
}{
	{"ten entries", entries(10), "", "m0+ m1+ m2+ m3+ m4+ m5+ m6+ m7+ m8+ m9+"},
	{"eleven entries", entries(11), "AWS.SimpleQueueService.TooManyEntriesInBatchRequest", ""},
	{"no entries", []types.SendMessageBatchRequestEntry{}, "AWS.SimpleQueueService.EmptyBatchRequest", ""},
	{"two entries with one ID", []types.SendMessageBatchRequestEntry{entry("a", "1"), entry("a", "2")}, "AWS.SimpleQueueService.BatchEntryIdsNotDistinct", ""},
	{"an entry's ID of 80 characters", []types.SendMessageBatchRequestEntry{entry(text(80), "1")}, "", text(80) + "+"},
	{"an entry's ID of 81 characters", []types.SendMessageBatchRequestEntry{entry(text(81), "1")}, "AWS.SimpleQueueService.InvalidBatchEntryId", ""},
	{"an entry's ID with a period", []types.SendMessageBatchRequestEntry{entry("a.b", "1")}, "AWS.SimpleQueueService.InvalidBatchEntryId", ""},
	{"1 MiB in one message", []types.SendMessageBatchRequestEntry{entry("a", text(1<<20))}, "", "a+"},
	{"1 MiB in two messages", []types.SendMessageBatchRequestEntry{entry("a", text(1<<19)), entry("b", text(1<<19))}, "", "a+ b+"},
	{"a byte over 1 MiB in two messages", []types.SendMessageBatchRequestEntry{entry("a", text(1<<19)), entry("b", text(1<<19+1))}, "AWS.SimpleQueueService.BatchRequestTooLong", ""},
	{"1 MiB with attributes", []types.SendMessageBatchRequestEntry{entry("a", text(1<<20-len("nameStringvalue")), attribute("name", "String", "value"))}, "", "a+"},
	{"a byte over 1 MiB with attributes", []types.SendMessageBatchRequestEntry{entry("a", text(1<<20-len("nameStringvalue")+1), attribute("name", "String", "value"))}, "AWS.SimpleQueueService.BatchRequestTooLong", ""},
	{"1 MiB and a trace header, which is not counted", []types.SendMessageBatchRequestEntry{entry("a", text(1<<20), trace("Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"))}, "", "a+"},
	{"characters of XML", []types.SendMessageBatchRequestEntry{entry("a", "\t\n\r \ud7ff\ue000\ufffd\U00010000\U0010ffff")}, "", "a+"},
	{"a control character", []types.SendMessageBatchRequestEntry{entry("a", "ok"), entry("b", "\x01")}, "", "a+ b:InvalidMessageContents"},
	{"U+FFFE", []types.SendMessageBatchRequestEntry{entry("a", "\ufffe"), entry("b", "ok")}, "", "a:InvalidMessageContents b+"},
	{"an empty body", []types.SendMessageBatchRequestEntry{entry("a", ""), entry("b", "ok")}, "", "a:MissingParameter b+"},
	{"no group", []types.SendMessageBatchRequestEntry{entry("a", "1", func(e *types.SendMessageBatchRequestEntry) { e.MessageGroupId = nil }), entry("b", "ok")}, "", "a:MissingParameter b+"},
	{"a group with all punctuation", []types.SendMessageBatchRequestEntry{entry("a", "1", group(punctuation))}, "", "a+"},
	{"a group of 128 characters", []types.SendMessageBatchRequestEntry{entry("a", "1", group(text(128)))}, "", "a+"},
	{"a group of 129 characters", []types.SendMessageBatchRequestEntry{entry("a", "1", group(text(129))), entry("b", "ok")}, "", "a:InvalidParameterValue b+"},
	{"a group with a space", []types.SendMessageBatchRequestEntry{entry("a", "1", group("a b")), entry("b", "ok")}, "", "a:InvalidParameterValue b+"},
	{"a group that is not ASCII", []types.SendMessageBatchRequestEntry{entry("a", "1", group("é"))}, "", "a:InvalidParameterValue"},
	{"no deduplication ID", []types.SendMessageBatchRequestEntry{entry("a", "1", func(e *types.SendMessageBatchRequestEntry) { e.MessageDeduplicationId = nil }), entry("b", "ok")}, "", "a:InvalidParameterValue b+"},
	{"a deduplication ID with all punctuation", []types.SendMessageBatchRequestEntry{entry("a", "1", dedup(punctuation))}, "", "a+"},
	{"a deduplication ID of 129 characters", []types.SendMessageBatchRequestEntry{entry("a", "1", dedup(text(129)))}, "", "a:InvalidParameterValue"},
	{"ten attributes", []types.SendMessageBatchRequestEntry{entry("a", "1", attributes(10))}, "", "a+"},
	{"eleven attributes", []types.SendMessageBatchRequestEntry{entry("a", "1", attributes(11)), entry("b", "ok")}, "", "a:InvalidParameterValue b+"},
	{"an attribute of each type", []types.SendMessageBatchRequestEntry{entry("a", "1", attribute("s", "String", "v"), attribute("n", "Number", "-1.5"), attribute("b", "Binary.gzip", "\x00\xff"))}, "", "a+"},
	{"an empty attribute", []types.SendMessageBatchRequestEntry{entry("a", "1", attribute("s", "String", "")), entry("b", "ok")}, "", "a:InvalidParameterValue b+"},
	{"an attribute of another type", []types.SendMessageBatchRequestEntry{entry("a", "1", attribute("s", "Text", "v"))}, "", "a:InvalidParameterValue"},
	{"a number that is not one", []types.SendMessageBatchRequestEntry{entry("a", "1", attribute("n", "Number", "many"))}, "", "a:InvalidParameterValue"},
	{"an attribute with a control character", []types.SendMessageBatchRequestEntry{entry("a", "1", attribute("s", "String", "\x01"))}, "", "a:InvalidParameterValue"},
	{"an attribute's reserved name", []types.SendMessageBatchRequestEntry{entry("a", "1", attribute("AWS.s", "String", "v"))}, "", "a:InvalidParameterValue"},
	{"an attribute's name with a space", []types.SendMessageBatchRequestEntry{entry("a", "1", attribute("a b", "String", "v"))}, "", "a:InvalidParameterValue"},
	{"an attribute's name with two periods", []types.SendMessageBatchRequestEntry{entry("a", "1", attribute("a..b", "String", "v"))}, "", "a:InvalidParameterValue"},
	{"a trace header that is not one", []types.SendMessageBatchRequestEntry{entry("a", "1", trace("00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01"))}, "", "a:InvalidParameterValue"},
	{"a delay", []types.SendMessageBatchRequestEntry{entry("a", "1", func(e *types.SendMessageBatchRequestEntry) { e.DelaySeconds = 1 })}, "", "a:InvalidParameterValue"},
}

// send sends a batch and describes what became of it.
func send(ctx context.Context, client *sqs.Client, url string, entries []types.SendMessageBatchRequestEntry) (string, results) {
	out, err := client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: &url, Entries: entries})
	if err != nil {
		return code(err), nil
	}
	r := results{}
	for _, s := range out.Successful {
		r[*s.Id] = "+"
	}
	for _, f := range out.Failed {
		r[*f.Id] = ":" + *f.Code
		if !f.SenderFault {
			r[*f.Id] += " (receiver)"
		}
	}
	return "", r
}

func TestSQS_batches(t *testing.T) {
	cloud := awstest.Start(t)
	client := sqs.NewFromConfig(config(t))
	for i, tt := range batches {
		t.Run(tt.name, func(t *testing.T) {
			queue := *ptr("q%d.fifo", i)
			if err := cloud.SQS.CreateQueue(queue, nil); err != nil {
				t.Fatal(err)
			}
			code, results := send(t.Context(), client, queueURL+queue, tt.entries)
			if code != tt.code || results.String() != tt.results {
				t.Errorf("%q %q, want %q %q", code, results, tt.code, tt.results)
			}
			if n, want := len(cloud.SQS.Messages(queue)), strings.Count(tt.results, "+"); n != want {
				t.Errorf("%d messages stored, want %d", n, want)
			}
		})
	}
}

// What is stored is what was sent, in the order of the batch.
func TestSQS_messages(t *testing.T) {
	cloud := awstest.Start(t)
	const header = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"
	code, results := send(t.Context(), sqs.NewFromConfig(config(t)), queueURL+awstest.Queue, []types.SendMessageBatchRequestEntry{
		entry("z", "first", attribute("n", "Number", "1"), attribute("b", "Binary", "\x00\xff"), trace(header)), entry("a", "second"),
	})
	if code != "" || results.String() != "a+ z+" {
		t.Fatal(code, results)
	}
	want := []fake.SQSMessage{{
		MessageID: "00000000-0000-4000-8000-000000000001", Group: "p1", DeduplicationID: "dedup-z", Body: "first", SequenceNumber: "00000000000000000256",
		Attributes: map[string]string{"n": "1", "b": "\x00\xff"}, Types: map[string]string{"n": "Number", "b": "Binary"}, SystemAttributes: map[string]string{"AWSTraceHeader": header},
	}, {MessageID: "00000000-0000-4000-8000-000000000002", Group: "p1", DeduplicationID: "dedup-a", Body: "second", SequenceNumber: "00000000000000000512"}}
	if diff := cmp.Diff(want, cloud.SQS.Messages(awstest.Queue)); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

// SQS stores what is not UTF-8 as U+FFFD. Then its MD5 is not the one that the client wants,
// which calls that an error, though the message is there.
func TestSQS_invalidUTF8(t *testing.T) {
	cloud := awstest.Start(t)
	code, _ := send(t.Context(), sqs.NewFromConfig(config(t)), queueURL+awstest.Queue, []types.SendMessageBatchRequestEntry{entry("a", "a\xffb")})
	if !strings.Contains(code, "message checksum validation failed") {
		t.Errorf("error %q", code)
	}
	if m := cloud.SQS.Messages(awstest.Queue); len(m) != 1 || m[0].Body != "a\ufffdb" {
		t.Errorf("messages %+v", m)
	}
}

// A queue of before 2025 has its own limit for a message.
func TestSQS_maximumMessageSize(t *testing.T) {
	cloud := awstest.Start(t)
	if err := cloud.SQS.CreateQueue("old.fifo", map[string]string{"MaximumMessageSize": "1024"}); err != nil {
		t.Fatal(err)
	}
	_, results := send(t.Context(), sqs.NewFromConfig(config(t)), queueURL+"old.fifo", []types.SendMessageBatchRequestEntry{entry("a", text(1024)), entry("b", text(1025))})
	if got := results.String(); got != "a+ b:InvalidParameterValue" {
		t.Error(got)
	}
}

// A duplicate is accepted and not stored, by the queue's scope and within five minutes.
func TestSQS_duplicates(t *testing.T) {
	for _, tt := range []struct {
		name       string
		attributes map[string]string
		second     types.SendMessageBatchRequestEntry
		later      time.Duration
		want       int // messages stored
	}{
		{"the same ID", nil, entry("a", "other body"), 5*time.Minute - time.Second, 1},
		{"the same ID after the window", nil, entry("a", "1"), 5 * time.Minute, 2},
		{"another ID", nil, entry("b", "1"), 0, 2},
		{"the same ID in another group", nil, entry("a", "1", group("p2")), 0, 1},
		{"by group: the same ID", map[string]string{"DeduplicationScope": "messageGroup"}, entry("a", "1"), 0, 1},
		{"by group: the same ID in another group", map[string]string{"DeduplicationScope": "messageGroup"}, entry("a", "1", group("p2")), 0, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cloud, clock := awstest.Start(t), newClock()
			cloud.SQS.SetClock(clock.read)
			if err := cloud.SQS.CreateQueue("q.fifo", tt.attributes); err != nil {
				t.Fatal(err)
			}
			client := sqs.NewFromConfig(config(t))
			first := entry("a", "1")
			for _, e := range []types.SendMessageBatchRequestEntry{first, tt.second} {
				if code, results := send(t.Context(), client, queueURL+"q.fifo", []types.SendMessageBatchRequestEntry{e}); code != "" || results.String() != *e.Id+"+" {
					t.Error(code, results)
				}
				clock.advance(tt.later)
			}
			if n := len(cloud.SQS.Messages("q.fifo")); n != tt.want {
				t.Errorf("%d messages stored, want %d", n, tt.want)
			}
		})
	}
}

// The ID is made of the body if the queue says so and none is sent.
func TestSQS_contentBasedDeduplication(t *testing.T) {
	cloud := awstest.Start(t)
	if err := cloud.SQS.CreateQueue("q.fifo", map[string]string{"ContentBasedDeduplication": "true"}); err != nil {
		t.Fatal(err)
	}
	none := func(e *types.SendMessageBatchRequestEntry) { e.MessageDeduplicationId = nil }
	_, results := send(t.Context(), sqs.NewFromConfig(config(t)), queueURL+"q.fifo", []types.SendMessageBatchRequestEntry{
		entry("a", "same", none), entry("b", "same", none, attribute("n", "Number", "1")), entry("c", "other", none),
	})
	if n := len(cloud.SQS.Messages("q.fifo")); n != 2 || results.String() != "a+ b+ c+" {
		t.Errorf("%d messages stored, want 2; %s", n, results)
	}
}

// A group has messages of one receive in flight. The others of it wait until those are
// deleted or their time is over.
func TestSQS_receive(t *testing.T) {
	cloud, clock := awstest.Start(t), newClock()
	cloud.SQS.SetClock(clock.read)
	client := sqs.NewFromConfig(config(t))
	url := aws.String(queueURL + awstest.Queue)
	send(t.Context(), client, *url, []types.SendMessageBatchRequestEntry{
		entry("1", "p1.1", attribute("n", "Number", "1"), attribute("ns.s", "String", "x")), entry("2", "p1.2"), entry("3", "p1.3"), entry("4", "p2.1", group("p2")),
	})
	var handles []string
	receive := func(most int32, want ...string) {
		t.Helper()
		out, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
			QueueUrl: url, MaxNumberOfMessages: most, MessageAttributeNames: []string{"ns.*"}, MessageSystemAttributeNames: []types.MessageSystemAttributeName{"MessageGroupId"},
		})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		handles = nil
		for _, m := range out.Messages {
			got = append(got, *m.Body)
			handles = append(handles, *m.ReceiptHandle)
			if *m.Body == "p1.1" && (len(m.MessageAttributes) != 1 || *m.MessageAttributes["ns.s"].StringValue != "x") || m.Attributes["MessageGroupId"] != (*m.Body)[:2] {
				t.Errorf("attributes of %s: %v %v", *m.Body, m.MessageAttributes, m.Attributes)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("received (-want +got):\n%s", diff)
		}
	}
	remove := func(handle, want string) {
		t.Helper()
		if _, err := client.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: &handle}); code(err) != want {
			t.Errorf("DeleteMessage: %v, want %q", err, want)
		}
	}
	receive(2, "p1.1", "p1.2")
	first := handles
	receive(10, "p2.1")
	receive(10)
	remove(first[0], "")
	receive(10) // p1.2 is in flight
	remove(first[1], "")
	receive(10, "p1.3")
	clock.advance(30 * time.Second) // the default time
	old := handles[0]
	receive(10, "p1.3", "p2.1")
	remove(old, "InvalidParameterValue")
	remove("nonsense", "ReceiptHandleIsInvalid")
	for _, h := range handles {
		remove(h, "")
		remove(h, "") // again
	}
	if m := cloud.SQS.Messages(awstest.Queue); len(m) != 0 {
		t.Errorf("messages %+v", m)
	}
	// A message that was deleted is still known as a duplicate.
	send(t.Context(), client, *url, []types.SendMessageBatchRequestEntry{entry("1", "p1.1")})
	receive(10)
}

// A receive that waits gets what is sent meanwhile.
func TestSQS_receiveWaits(t *testing.T) {
	awstest.Start(t)
	client := sqs.NewFromConfig(config(t))
	url := aws.String(queueURL + awstest.Queue)
	received := make(chan int, 1)
	go func() {
		out, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: url, WaitTimeSeconds: 20})
		if err != nil {
			t.Error(err)
			received <- 0
			return
		}
		received <- len(out.Messages)
	}()
	send(t.Context(), client, *url, entries(1))
	if n := <-received; n != 1 {
		t.Errorf("%d messages, want 1", n)
	}
}

func TestSQS_queues(t *testing.T) {
	cloud := awstest.Start(t)
	client := sqs.NewFromConfig(config(t))
	for _, tt := range []struct {
		name, queue string
		attributes  map[string]string
		code        string
	}{
		{"FIFO", "a.fifo", map[string]string{"FifoQueue": "true"}, ""},
		{"the same again", "a.fifo", map[string]string{"FifoQueue": "true"}, ""},
		{"the same with other attributes", "a.fifo", map[string]string{"FifoQueue": "true", "MaximumMessageSize": "2048"}, "QueueAlreadyExists"},
		{"high throughput", "b.fifo", map[string]string{"FifoQueue": "true", "DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"}, ""},
		{"high throughput without its scope", "c.fifo", map[string]string{"FifoQueue": "true", "FifoThroughputLimit": "perMessageGroupId"}, "InvalidAttributeValue"},
		{"FIFO without the suffix", "d", map[string]string{"FifoQueue": "true"}, "InvalidParameterValue"},
		{"the suffix without FIFO", "d.fifo", nil, "InvalidParameterValue"},
		{"a name with a period", "d.e", nil, "InvalidParameterValue"},
		{"a name of 81 characters", text(81), nil, "InvalidParameterValue"},
		{"a standard queue's scope", "e", map[string]string{"DeduplicationScope": "queue"}, "InvalidAttributeName"},
		{"messages over 1 MiB", "e", map[string]string{"MaximumMessageSize": "1048577"}, "InvalidAttributeValue"},
		{"an unknown attribute", "e", map[string]string{"Colour": "red"}, "InvalidAttributeName"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := client.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &tt.queue, Attributes: tt.attributes})
			if code(err) != tt.code {
				t.Errorf("%v, want %q", err, tt.code)
			}
		})
	}
	url, err := client.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: aws.String("b.fifo")})
	if err != nil || *url.QueueUrl != cloud.URL+"/123456789012/b.fifo" {
		t.Errorf("GetQueueUrl: %+v, %v", url, err)
	}
	out, err := client.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: url.QueueUrl, AttributeNames: []types.QueueAttributeName{"All"}})
	if err != nil || out.Attributes["DeduplicationScope"] != "messageGroup" || out.Attributes["QueueArn"] != "arn:aws:sqs:eu-west-1:123456789012:b.fifo" || out.Attributes["MaximumMessageSize"] != "1048576" {
		t.Errorf("GetQueueAttributes: %+v, %v", out, err)
	}
	_, err = client.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: url.QueueUrl, AttributeNames: []types.QueueAttributeName{"Colour"}})
	if code(err) != "InvalidAttributeName" {
		t.Error(err)
	}
}

func TestSQS_missingQueue(t *testing.T) {
	awstest.Start(t)
	client := sqs.NewFromConfig(config(t))
	for _, url := range []string{queueURL + "nowhere.fifo", "https://sqs.eu-west-1.amazonaws.com/210987654321/" + awstest.Queue, awstest.Queue} {
		_, err := client.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: &url, Entries: entries(1)})
		var missing *types.QueueDoesNotExist
		if !errors.As(err, &missing) || code(err) != "AWS.SimpleQueueService.NonExistentQueue" {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestSQS_faults(t *testing.T) {
	for _, tt := range []struct {
		name   string
		fault  func(*fake.SQSCall)
		code   string // "no answer" if the client got none
		result string
		stored int
	}{
		{"an entry fails", func(c *fake.SQSCall) {
			c.FailEntry = map[int]fake.SQSError{1: {Code: "InternalError", Message: "in a moment"}}
		}, "", "m0+ m1:InternalError (receiver)", 1},
		{"throttled", func(c *fake.SQSCall) { c.Error = "RequestThrottled" }, "RequestThrottled", "", 0},
		{"throttled by KMS", func(c *fake.SQSCall) { c.Error = "KmsThrottled" }, "KMS.ThrottlingException", "", 0},
		{"a code that is in no model", func(c *fake.SQSCall) { c.Error = "ThrottlingException" }, "ThrottlingException", "", 0},
		{"unavailable", func(c *fake.SQSCall) { c.Error = "ServiceUnavailable" }, "ServiceUnavailable", "", 0},
		{"a proxy's error", func(c *fake.SQSCall) { c.Status = http.StatusBadGateway }, "no answer", "", 0},
		{"hangs", func(c *fake.SQSCall) { c.Hang = make(chan struct{}) }, "no answer", "", 0},
		{"the connection breaks", func(c *fake.SQSCall) { c.DropConnection = true }, "no answer", "", 0},
		{"the answer is lost", func(c *fake.SQSCall) { c.LoseAnswer = true }, "no answer", "", 2},
		{"the answer comes late", func(c *fake.SQSCall) { c.HoldAnswer = make(chan struct{}) }, "no answer", "", 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cloud := awstest.Start(t)
			client := sqs.NewFromConfig(config(t))
			calls := make(chan fake.SQSCall, 1)
			cloud.SQS.Fail(func(c *fake.SQSCall) {
				tt.fault(c)
				calls <- *c
			})
			ctx := t.Context()
			if tt.name == "hangs" || tt.name == "the answer comes late" {
				ctx = untilReached(t, func() bool { return len(calls) > 0 && len(cloud.SQS.Messages(awstest.Queue)) == tt.stored })
			}
			code, result := send(ctx, client, queueURL+awstest.Queue, entries(2))
			if tt.code == "no answer" && !strings.HasPrefix(code, tt.code) || tt.code != "no answer" && code != tt.code || result.String() != tt.result {
				t.Errorf("%q %q, want %q %q", code, result, tt.code, tt.result)
			}
			if n := len(cloud.SQS.Messages(awstest.Queue)); n != tt.stored {
				t.Errorf("%d messages stored, want %d", n, tt.stored)
			}
			if seen := <-calls; seen.Operation != "SendMessageBatch" || seen.Queue != awstest.Queue || len(seen.Entries) != 2 || seen.Entries[1].Body != "body" {
				t.Errorf("the fault saw %+v", seen)
			}
			cloud.SQS.Fail(nil)
			if code, result := send(t.Context(), client, queueURL+awstest.Queue, []types.SendMessageBatchRequestEntry{entry("z", "after")}); code != "" || result.String() != "z+" {
				t.Errorf("after the fault: %q %s", code, result)
			}
		})
	}
}

// One message is sent by the same rules.
func TestSQS_sendMessage(t *testing.T) {
	cloud := awstest.Start(t)
	client := sqs.NewFromConfig(config(t))
	for _, tt := range []struct{ body, group, code string }{{"ok", "p1", ""}, {"\x01", "p1", "InvalidMessageContents"}, {"ok", "a b", "InvalidParameterValue"}} {
		_, err := client.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: aws.String(queueURL + awstest.Queue), MessageBody: &tt.body, MessageGroupId: &tt.group, MessageDeduplicationId: aws.String("d")})
		if code(err) != tt.code {
			t.Errorf("%q in %q: %v, want %q", tt.body, tt.group, err, tt.code)
		}
	}
	if n := len(cloud.SQS.Messages(awstest.Queue)); n != 1 {
		t.Errorf("%d messages, want 1", n)
	}
}
