//go:build aws

package main

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/aerosink/aerosink/function"
	"github.com/aerosink/aerosink/function/sink/awstest"
	"github.com/aerosink/aerosink/function/sink/awstest/fake"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// clouds are fakes of both clouds.
type clouds struct {
	google *sinktest.Cloud
	aws    *awstest.Cloud
}

// inBoth are sinks in both clouds.
const inBoth = sinktest.PubSubSink + "," + sinktest.ArchiveSink + "?linger=0s," + awstest.QueueSink + "," + awstest.StreamSink + "," + awstest.ArchiveSink + "&linger=0s"

// stored returns how much is stored in each sink.
func (c *clouds) stored(t *testing.T) map[string]int {
	t.Helper()
	return map[string]int{
		"pubsub": len(c.google.Messages()), "gs": len(c.google.Objects(t)), "sqs": len(c.aws.SQS.Messages(awstest.Queue)),
		"kinesis": len(c.aws.Kinesis.Records(awstest.Stream)), "s3": len(c.aws.S3.Objects(awstest.Bucket)),
	}
}

// fail makes the sinks with the scheme fail, and the others work.
func (c *clouds) fail(scheme string) {
	c.google.FailPublish(nil)
	c.google.FailStorage(nil)
	c.aws.SQS.Fail(nil)
	c.aws.Kinesis.Fail(nil)
	c.aws.S3.Fail(nil)
	switch scheme {
	case "pubsub":
		c.google.FailPublish(func(*pubsubpb.PublishRequest) error { return status.Error(codes.Unavailable, "a fault of the test") })
	case "gs":
		c.google.FailStorage(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	case "sqs":
		c.aws.SQS.Fail(func(call *fake.SQSCall) { call.Error = "ThrottlingException" })
	case "kinesis":
		c.aws.Kinesis.Fail(func(call *fake.KinesisCall) { call.Error = "ProvisionedThroughputExceededException" })
	case "s3":
		c.aws.S3.Fail(func(call *fake.S3Call) { call.Error, call.Status = "SlowDown", http.StatusServiceUnavailable })
	}
}

// A request goes to the sinks of both clouds. If one of them does not have it, the answer is
// 503, and when it comes again only that one gets it.
func TestServe_bothClouds(t *testing.T) {
	c := &clouds{google: sinktest.New(t), aws: awstest.Start(t)}
	receiver := function.New(newEnvironment(environment(map[string]string{"SINKS": inBoth, "TIMEOUT": "300ms"})), slog.New(slog.DiscardHandler))
	t.Cleanup(func() {
		if err := receiver.Close(); err != nil {
			t.Error(err)
		}
	})
	post := func(i int) int {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(fmt.Sprintf(
			`{"msg":"delete","key":["shop","orders","4cggTFyCxaDjqb2pso88/imO2Sg=",null],"gen":%d,"lut":%d}`, i, 1764000000000+i)))
		req.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		receiver.ServeHTTP(w, req)
		return w.Code
	}
	if code := post(1); code != http.StatusOK {
		t.Fatalf("status %d", code)
	}
	if diff := cmp.Diff(map[string]int{"pubsub": 1, "gs": 1, "sqs": 1, "kinesis": 1, "s3": 1}, c.stored(t)); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	for i, scheme := range []string{"pubsub", "gs", "sqs", "kinesis", "s3"} {
		want := map[string]int{"pubsub": i + 2, "gs": i + 2, "sqs": i + 2, "kinesis": i + 2, "s3": i + 2}
		c.fail(scheme)
		if code := post(i + 2); code != http.StatusServiceUnavailable {
			t.Errorf("%s fails: status %d, want 503", scheme, code)
		}
		c.fail("")
		failed := c.stored(t)
		if failed[scheme] != i+1 {
			t.Errorf("%s stored something: %d, want %d", scheme, failed[scheme], i+1)
		}
		failed[scheme]++
		if diff := cmp.Diff(want, failed); diff != "" {
			t.Errorf("%s fails: the others (-want +got):\n%s", scheme, diff)
		}
		if code := post(i + 2); code != http.StatusOK {
			t.Errorf("%s works again: status %d", scheme, code)
		}
		if diff := cmp.Diff(want, c.stored(t)); diff != "" {
			t.Errorf("%s works again (-want +got):\n%s", scheme, diff)
		}
	}
}

// An archive in either cloud is replayed into the other.
func TestReplay_bothClouds(t *testing.T) {
	c := &clouds{google: sinktest.New(t), aws: awstest.Start(t)}
	folder, _ := writeArchive(t, 3)
	for _, step := range []struct{ from, to string }{
		{folder, awstest.ArchiveSink}, {awstest.ArchiveSink, sinktest.ArchiveSink}, {sinktest.ArchiveSink, awstest.QueueSink},
	} {
		if out, log, err := sinkCommand(t, nil, "replay", step.from, "-to", step.to); err != nil || out != "replayed: 1 object, 3 changes\n" {
			t.Errorf("%s to %s: %q, %q, error %v", step.from, step.to, out, log, err)
		}
	}
	if diff := cmp.Diff(map[string]int{"pubsub": 0, "gs": 1, "sqs": 3, "kinesis": 0, "s3": 1}, c.stored(t)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The build with both clouds says so, and has the settings of both.
func TestCheck_bothClouds(t *testing.T) {
	out, _, err := sinkCommand(t, map[string]string{"SINKS": inBoth + ",kafka:x", "AUTH_TOKENS_SECRET": fake.SecretARN("tokens")}, "check")
	if err == nil || err.Error() != "sink check: 1 error, 2 warnings" || !strings.Contains(out, "want one of log:, pubsub://PROJECT/TOPIC, gs://BUCKET/PREFIX, aerospike://HOST:PORT/NAMESPACE, ") || !strings.Contains(out, "s3://BUCKET/PREFIX") {
		t.Errorf("error %v\n%s", err, out)
	}
	if out, _, err = sinkCommand(t, nil, "env"); err != nil || !strings.Contains(out, "AUTH_TOKENS_SECRET") || strings.Contains(out, "BASE_PATH") {
		t.Errorf("error %v\n%s", err, out)
	}
}
