package awstest_test

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/aerosink/aerosink/function/sink/awsconfig"
	"github.com/aerosink/aerosink/function/sink/awstest"
	"github.com/aerosink/aerosink/function/sink/awstest/fake"
)

const queueURL = "https://sqs.eu-west-1.amazonaws.com/123456789012/changes.fifo"

func config(t testing.TB) aws.Config {
	t.Helper()
	c, err := awsconfig.Load(t.Context(), fake.Region)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// AWS's own clients find the services, and take their answers.
func TestStart(t *testing.T) {
	cloud := awstest.Start(t)
	sent, err := sqs.NewFromConfig(config(t)).SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: aws.String(queueURL), Entries: []sqstypes.SendMessageBatchRequestEntry{
		{Id: aws.String("0"), MessageBody: aws.String("first"), MessageGroupId: aws.String("p1"), MessageDeduplicationId: aws.String("a")},
		{Id: aws.String("1"), MessageBody: aws.String("no group"), MessageDeduplicationId: aws.String("b")},
	}})
	if err != nil || len(sent.Successful) != 1 || len(sent.Failed) != 1 || !sent.Failed[0].SenderFault {
		t.Errorf("SendMessageBatch: %+v, %v", sent, err)
	}
	if m := cloud.SQS.Messages(awstest.Queue); len(m) != 1 || m[0].Body != "first" || m[0].Group != "p1" {
		t.Errorf("messages %+v", m)
	}
	put, err := kinesis.NewFromConfig(config(t)).PutRecords(t.Context(), &kinesis.PutRecordsInput{StreamName: aws.String(awstest.Stream), Records: []kinesistypes.PutRecordsRequestEntry{
		{Data: []byte("first"), PartitionKey: aws.String("1")}, {Data: []byte("second"), PartitionKey: aws.String("1")},
	}})
	if err != nil || *put.FailedRecordCount != 0 || len(put.Records) != 2 {
		t.Errorf("PutRecords: %+v, %v", put, err)
	}
	if r := cloud.Kinesis.Records(awstest.Stream); len(r) != 2 || string(r[1].Data) != "second" || r[0].Shard != r[1].Shard {
		t.Errorf("records %+v", r)
	}
	objects := s3.NewFromConfig(config(t))
	for _, want := range []string{"", "PreconditionFailed"} {
		_, err := objects.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(awstest.Bucket), Key: aws.String("a/namespace=a%2Fb.ndjson"), IfNoneMatch: aws.String("*")})
		var e interface{ ErrorCode() string }
		if want == "" && err != nil || want != "" && (!errors.As(err, &e) || e.ErrorCode() != want) {
			t.Errorf("PutObject: %v, want %q", err, want)
		}
	}
	if o := cloud.S3.Objects(awstest.Bucket); len(o) != 1 || o[0].Key != "a/namespace=a%2Fb.ndjson" {
		t.Errorf("objects %+v", o)
	}
}

func TestInstantSQS(t *testing.T) {
	server := awstest.InstantSQS(t)
	sent, err := sqs.NewFromConfig(config(t)).SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: aws.String(queueURL), Entries: []sqstypes.SendMessageBatchRequestEntry{
		{Id: aws.String("0"), MessageBody: aws.String(`{"Id":"a"}`), MessageAttributes: map[string]sqstypes.MessageAttributeValue{"Id": {DataType: aws.String("String"), StringValue: aws.String(`"Id":"`)}}},
		{Id: aws.String("1"), MessageBody: aws.String("b")},
	}})
	if err != nil || len(sent.Successful) != 2 || *sent.Successful[0].Id != "0" || *sent.Successful[1].Id != "1" {
		t.Errorf("%+v, %v", sent, err)
	}
	if server.Entries() != 2 || server.Calls() != 1 || server.Bytes() == 0 {
		t.Errorf("%d entries, %d calls, %d bytes", server.Entries(), server.Calls(), server.Bytes())
	}
}

func TestInstantKinesis(t *testing.T) {
	server := awstest.InstantKinesis(t)
	put, err := kinesis.NewFromConfig(config(t)).PutRecords(t.Context(), &kinesis.PutRecordsInput{StreamName: aws.String(awstest.Stream), Records: []kinesistypes.PutRecordsRequestEntry{
		{Data: []byte(`"PartitionKey":"`), PartitionKey: aws.String(`"PartitionKey":"`)}, {Data: []byte("second"), PartitionKey: aws.String("1")},
	}})
	if err != nil || *put.FailedRecordCount != 0 || len(put.Records) != 2 || put.Records[1].ErrorCode != nil {
		t.Errorf("%+v, %v", put, err)
	}
	if server.Entries() != 2 || server.Calls() != 1 {
		t.Errorf("%d entries, %d calls", server.Entries(), server.Calls())
	}
}

func TestDiscardS3(t *testing.T) {
	server := awstest.DiscardS3(t)
	_, err := s3.NewFromConfig(config(t)).PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("any"), Key: aws.String("a/b"), IfNoneMatch: aws.String("*")})
	if err != nil || server.Objects() != 1 {
		t.Errorf("%d objects, %v", server.Objects(), err)
	}
}
