package kinesis_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/awstest"
	"github.com/aerosink/aerosink/function/sink/awstest/fake"
)

// failing returns a fault that refuses an operation.
func failing(operation, code string) func(*fake.KinesisCall) {
	return func(call *fake.KinesisCall) {
		if call.Operation == operation {
			call.Error = code
		}
	}
}

// A check finds what is wrong with a stream, and stores nothing.
func TestProbe(t *testing.T) {
	for _, tt := range []struct {
		name     string
		settings fake.StreamSettings
		fault    func(*fake.KinesisCall)
		want     string // "" finds nothing wrong
	}{
		{"on demand", fake.StreamSettings{}, nil, ""},
		{"provisioned", fake.StreamSettings{Provisioned: true}, nil, ""},
		{"being resharded", fake.StreamSettings{Status: "UPDATING"}, nil, ""},
		{"being created", fake.StreamSettings{Status: "CREATING"}, nil, "it is CREATING"},
		{"being deleted", fake.StreamSettings{Status: "DELETING"}, nil, "it is DELETING"},
		{
			"keys are ignored", fake.StreamSettings{Auto: true}, nil,
			"aws kinesis update-stream-record-distribution-strategy --region eu-west-1 --stream-arn arn:aws:kinesis:eu-west-1:123456789012:stream/changes --record-distribution-strategy USER_PARTITION_KEY",
		},
		{"writing is denied", fake.StreamSettings{}, failing("PutRecords", "AccessDeniedException"), "allow the role of this program kinesis:PutRecords on arn:aws:kinesis"},
		{"the key is denied", fake.StreamSettings{}, failing("PutRecords", "KMSAccessDeniedException"), "kms:GenerateDataKey"},
		{"asking is denied", fake.StreamSettings{}, failing("DescribeStreamSummary", "AccessDeniedException"), "allow the role of this program kinesis:DescribeStreamSummary on arn:aws:kinesis"},
		{"all is denied", fake.StreamSettings{}, func(call *fake.KinesisCall) { call.Error = "AccessDeniedException" }, "kinesis:PutRecords on arn:aws:kinesis"},
		{"asking is throttled", fake.StreamSettings{}, failing("DescribeStreamSummary", "LimitExceededException"), "LimitExceededException"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cloud := awstest.Start(t)
			if err := cloud.Kinesis.SetStream(awstest.Stream, tt.settings); err != nil {
				t.Fatal(err)
			}
			cloud.Kinesis.Fail(tt.fault)
			err := parse(t, awstest.StreamSink, sink.Options{}).Probe(t.Context())
			if tt.want == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
			if n := len(cloud.Kinesis.Records(awstest.Stream)); n != 0 {
				t.Errorf("%d records are stored", n)
			}
		})
	}
}

func TestProbe_missingStream(t *testing.T) {
	awstest.Start(t)
	err := parse(t, "kinesis://eu-west-1/123456789012/nothing", sink.Options{}).Probe(t.Context())
	if err == nil || !strings.Contains(err.Error(), "aws kinesis create-stream --region eu-west-1 --stream-name nothing") {
		t.Errorf("%v", err)
	}
}

// An endpoint that takes a dry run for a call is told, since a record is stored then.
func TestProbe_noDryRun(t *testing.T) {
	awstest.Start(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := `{"FailedRecordCount":0,"Records":[{"SequenceNumber":"1","ShardId":"shardId-000000000000"}]}`
		if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".DescribeStreamSummary") {
			answer = `{"StreamDescriptionSummary":{"StreamStatus":"ACTIVE"}}`
		}
		_, _ = io.WriteString(w, answer) // else the client fails
	}))
	defer server.Close()
	err := parse(t, awstest.StreamSink+"?endpoint="+server.URL, sink.Options{}).Probe(t.Context())
	if err == nil || !strings.Contains(err.Error(), "has stored a record") {
		t.Errorf("%v", err)
	}
}
