package sqs

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/awstest"
	"github.com/aerosink/aerosink/function/sink/awstest/fake"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

func TestProbe(t *testing.T) {
	fast := map[string]string{"DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"}
	old := map[string]string{"DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId", "MaximumMessageSize": "262144"}
	for _, tt := range []struct {
		name, query string
		attributes  map[string]string
		fault       string
		err         string // "" finds nothing wrong
		concern     bool   // the sink works
	}{
		{name: "fast.fifo", attributes: fast},
		{name: "slow.fifo", err: "300 calls a second in all groups together; change that with aws sqs set-queue-attributes --region eu-west-1 --queue-url https://sqs.eu-west-1.amazonaws.com/123456789012/slow.fifo --attributes DeduplicationScope=messageGroup,FifoThroughputLimit=perMessageGroupId", concern: true},
		{name: "slow.fifo", query: "?group=queue"},
		{name: "slow.fifo", query: "?ordering=1"},
		{name: "old.fifo", attributes: old, err: "messages up to 262144 bytes, and larger changes are dead letters; change that with aws sqs set-queue-attributes --region eu-west-1 --queue-url https://sqs.eu-west-1.amazonaws.com/123456789012/old.fifo --attributes MaximumMessageSize=1048576", concern: true},
		{name: "none.fifo", fault: "QueueDoesNotExist", err: "aws sqs create-queue --region eu-west-1 --queue-name none.fifo --attributes FifoQueue=true,DeduplicationScope=messageGroup,FifoThroughputLimit=perMessageGroupId"},
		{name: "fast.fifo", attributes: fast, fault: "AccessDenied", err: "sqs:GetQueueAttributes on arn:aws:sqs:eu-west-1:123456789012:fast.fifo, or do without this check: sending needs sqs:SendMessage alone"},
		{name: "fast.fifo", attributes: fast, fault: "InternalFailure", err: "check queue fast.fifo: "},
	} {
		t.Run(tt.name+tt.query+tt.fault, func(t *testing.T) {
			cloud := awstest.Start(t)
			if tt.fault != "QueueDoesNotExist" {
				if err := cloud.SQS.CreateQueue(tt.name, tt.attributes); err != nil {
					t.Fatal(err)
				}
			}
			if tt.fault != "" {
				cloud.SQS.Fail(func(c *fake.SQSCall) { c.Error = tt.fault })
			}
			err := sinktest.Parse(t, Parse, "sqs://eu-west-1/123456789012/"+tt.name+tt.query, sink.Options{}).Probe(t.Context())
			var concern *sink.Concern
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) || errors.As(err, &concern) != tt.concern {
				t.Errorf("%v, want %q", err, tt.err)
			}
			if n := len(cloud.SQS.Messages(tt.name)); n != 0 {
				t.Errorf("the probe has sent %d messages", n)
			}
		})
	}
}

// A queue whose attributes are not answered is opened all the same, after a while.
func TestOpen_hangs(t *testing.T) {
	cloud := awstest.Start(t)
	cloud.SQS.Fail(func(c *fake.SQSCall) {
		if c.Operation == "GetQueueAttributes" {
			c.Hang = make(chan struct{})
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	s, err := sinktest.Parse(t, Parse, awstest.QueueSink, sink.Options{}).Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	wantVerdicts(t, s.Put(t.Context(), batchOf(version(1, 1))), "ok")
}

// The URL of the queue has the host of the region, in every partition of AWS. The endpoint has
// precedence over where requests go, not over the URL.
func TestDial_queueURL(t *testing.T) {
	for region, want := range map[string]string{
		"eu-west-1":     "https://sqs.eu-west-1.amazonaws.com/123456789012/a.fifo",
		"cn-north-1":    "https://sqs.cn-north-1.amazonaws.com.cn/123456789012/a.fifo",
		"us-gov-west-1": "https://sqs.us-gov-west-1.amazonaws.com/123456789012/a.fifo",
	} {
		c := &queueConfig{region: region, account: "123456789012", name: "a.fifo", endpoint: "https://vpce.example.com"}
		cl, err := c.dial(t.Context())
		if err != nil || cl.queueURL != want || *cl.sqs.Options().BaseEndpoint != c.endpoint {
			t.Errorf("%s: %v, %+v", region, err, cl)
		}
	}
}

// The parameter endpoint has precedence over the environment.
func TestPut_endpoint(t *testing.T) {
	cloud := awstest.Start(t)
	t.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
	wantVerdicts(t, open(t, awstest.QueueSink+"?endpoint="+cloud.URL, sink.Options{}).Put(t.Context(), batchOf(version(1, 1))), "ok")
	wantBodies(t, cloud, "1.1")
}
