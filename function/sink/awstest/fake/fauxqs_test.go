package fake_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/aerosink/aerosink/function/sink/awstest"
)

// fauxqsDiffers lists the batches of which fauxqs thinks otherwise.
var fauxqsDiffers = map[string]difference{
	"an entry's ID of 81 characters":        {"", text(81) + "+", "it does not check the length"},
	"characters of XML":                     {"", "a:InvalidMessageContents", "it takes characters over U+FFFF for two, which are not allowed"},
	"an empty body":                         {"", "a+ b+", "it takes it"},
	"a group of 129 characters":             {"", "a+ b+", "it does not check groups"},
	"a group with a space":                  {"", "a+ b+", "it does not check groups"},
	"a group that is not ASCII":             {"", "a+", "it does not check groups"},
	"a deduplication ID of 129 characters":  {"", "a+", "it does not check deduplication IDs"},
	"eleven attributes":                     {"", "a+ b+", "it does not count attributes"},
	"an empty attribute":                    {"", "a+ b+", "it does not check attributes"},
	"an attribute of another type":          {"", "a+", "it does not check attributes"},
	"a number that is not one":              {"", "a+", "it does not check attributes"},
	"an attribute with a control character": {"", "a+", "it does not check attributes"},
	"an attribute's reserved name":          {"", "a+", "it does not check attributes"},
	"an attribute's name with a space":      {"", "a+", "it does not check attributes"},
	"an attribute's name with two periods":  {"", "a+", "it does not check attributes"},
	"a trace header that is not one":        {"", "a+", "it does not check attributes"},
}

// fauxqs, a fake of SQS by others, agrees about the same calls, but for what is listed.
func TestFauxqs_batches(t *testing.T) {
	startNPM(t, "fauxqs.mjs", "fauxqs", "2.4.1")
	client := sqs.NewFromConfig(config(t))
	for i, tt := range batches {
		t.Run(tt.name, func(t *testing.T) {
			queue, err := client.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: ptr("q%d.fifo", i), Attributes: map[string]string{"FifoQueue": "true"}})
			if err != nil {
				t.Fatal(err)
			}
			want := difference{tt.code, tt.results, ""}
			if d, ok := fauxqsDiffers[tt.name]; ok {
				want = d
			}
			code, results := send(t.Context(), client, *queue.QueueUrl, tt.entries)
			if code != want.code || results.String() != want.results {
				t.Errorf("%q %q, want %q %q", code, results, want.code, want.results)
			}
		})
	}
}

// Both compute the same MD5 of attributes, and number messages in the same form. fauxqs
// responds no MD5 of system attributes.
func TestFauxqs_answers(t *testing.T) {
	send := func() *sqs.SendMessageBatchOutput {
		client := sqs.NewFromConfig(config(t))
		queue, err := client.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("md5.fifo"), Attributes: map[string]string{"FifoQueue": "true"}})
		if err != nil {
			t.Fatal(err)
		}
		out, err := client.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: queue.QueueUrl, Entries: []types.SendMessageBatchRequestEntry{
			entry("a", "body", attribute("n", "Number", "-1.5"), attribute("b", "Binary.gzip", "\x00\xff"), attribute("a", "String", "é")),
		}})
		if err != nil || len(out.Successful) == 0 {
			t.Fatalf("%+v, %v", out, err)
		}
		return out
	}
	awstest.Start(t)
	ours := send().Successful[0]
	startNPM(t, "fauxqs.mjs", "fauxqs", "2.4.1")
	theirs := send().Successful[0]
	if *ours.MD5OfMessageAttributes != *theirs.MD5OfMessageAttributes {
		t.Errorf("ours %s, theirs %s", *ours.MD5OfMessageAttributes, *theirs.MD5OfMessageAttributes)
	}
	if len(*ours.SequenceNumber) != len(*theirs.SequenceNumber) || strings.Trim(*ours.SequenceNumber, "0123456789") != "" {
		t.Errorf("sequence numbers %s and %s", *ours.SequenceNumber, *theirs.SequenceNumber)
	}
}
