package fake_test

import (
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/aerosink/aerosink/function/sink/awstest"
)

// A client that does not sign, or signs for another region, is refused by each service.
func TestSignature_missing(t *testing.T) {
	awstest.Start(t)
	for _, tt := range []struct {
		name         string
		change       func(*aws.Config)
		want, wantS3 string
	}{
		{"anonymous", func(c *aws.Config) { c.Credentials = aws.AnonymousCredentials{} }, "MissingAuthenticationToken", "AccessDenied"},
		{"another region", func(c *aws.Config) { c.Region = "us-east-1" }, "SignatureDoesNotMatch", "SignatureDoesNotMatch"},
	} {
		c := config(t)
		tt.change(&c)
		url := queueURL + awstest.Queue
		if _, err := sqs.NewFromConfig(c).SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: &url, Entries: entries(1)}); code(err) != tt.want {
			t.Errorf("%s: SQS: %v, want %q", tt.name, err, tt.want)
		}
		if _, err := put(t.Context(), kinesis.NewFromConfig(c), awstest.Stream, records(1, 1)); code(err) != tt.want {
			t.Errorf("%s: Kinesis: %v, want %q", tt.name, err, tt.want)
		}
		if _, err := s3.NewFromConfig(c).PutObject(t.Context(), putObject("a", "1")); code(err) != tt.wantS3 {
			t.Errorf("%s: S3: %v, want %q", tt.name, err, tt.wantS3)
		}
	}
}

// What is no operation of a service is refused.
func TestOperation_unknown(t *testing.T) {
	cloud := awstest.Start(t)
	url := queueURL + awstest.Queue
	if _, err := sqs.NewFromConfig(config(t)).PurgeQueue(t.Context(), &sqs.PurgeQueueInput{QueueUrl: &url}); code(err) != "AWS.SimpleQueueService.UnsupportedOperation" {
		t.Errorf("PurgeQueue: %v", err)
	}
	if _, err := kinesis.NewFromConfig(config(t)).ListStreams(t.Context(), &kinesis.ListStreamsInput{}); code(err) != "UnknownOperationException" {
		t.Errorf("ListStreams: %v", err)
	}
	if _, err := s3.NewFromConfig(config(t)).GetBucketAcl(t.Context(), &s3.GetBucketAclInput{Bucket: aws.String(awstest.Bucket)}); code(err) != "NotImplemented" {
		t.Errorf("GetBucketAcl: %v", err)
	}
	response, err := http.Get(cloud.URL + "/" + awstest.Bucket + "/a")
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusForbidden {
		t.Errorf("an unsigned request: %s", response.Status)
	}
	_ = response.Body.Close()
}
