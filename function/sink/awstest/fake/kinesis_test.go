package fake_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/function/sink/awstest"
	"github.com/aerosink/aerosink/function/sink/awstest/fake"
)

func record(key string, data []byte) types.PutRecordsRequestEntry {
	return types.PutRecordsRequestEntry{PartitionKey: &key, Data: data}
}

func records(n, size int) []types.PutRecordsRequestEntry {
	all := make([]types.PutRecordsRequestEntry, n)
	data := make([]byte, size)
	for i := range all {
		all[i] = record(*ptr("%03d", i), data)
	}
	return all
}

// puts are calls of PutRecords, and the code of the error with which Kinesis refuses them.
var puts = []struct {
	name    string
	records []types.PutRecordsRequestEntry
	code    string
}{
	{"500 records", records(500, 10), ""},
	{"501 records", records(501, 10), "ValidationException"},
	{"no records", []types.PutRecordsRequestEntry{}, "ValidationException"},
	{"a record of 1 MiB with its key", records(1, 1<<20-3), ""},
	{"a record of a byte more", records(1, 1<<20-2), "InvalidArgumentException"},
	{"10 MiB", records(10, 1<<20-3), ""},
	{"a byte over 10 MiB", append(records(10, 1<<20-3), record("k", []byte{})), "InvalidArgumentException"},
	{"no bytes", []types.PutRecordsRequestEntry{record("k", []byte{})}, ""},
	{"a key of 256 characters", []types.PutRecordsRequestEntry{record(strings.Repeat("é", 256), []byte("x"))}, ""},
	{"a key of 257 characters", []types.PutRecordsRequestEntry{record(text(257), []byte("x"))}, "ValidationException"},
	{"no key", []types.PutRecordsRequestEntry{record("", []byte("x"))}, "ValidationException"},
	{"a hash over all hashes", []types.PutRecordsRequestEntry{{PartitionKey: aws.String("k"), Data: []byte("x"), ExplicitHashKey: aws.String("340282366920938463463374607431768211456")}}, "InvalidArgumentException"},
}

func put(ctx context.Context, client *kinesis.Client, stream string, records []types.PutRecordsRequestEntry) (*kinesis.PutRecordsOutput, error) {
	return client.PutRecords(ctx, &kinesis.PutRecordsInput{StreamName: &stream, Records: records})
}

func TestKinesis_puts(t *testing.T) {
	cloud := awstest.Start(t)
	client := kinesis.NewFromConfig(config(t))
	for i, tt := range puts {
		t.Run(tt.name, func(t *testing.T) {
			stream := *ptr("s%d", i)
			cloud.Kinesis.CreateStream(stream, 1)
			if _, err := put(t.Context(), client, stream, tt.records); code(err) != tt.code {
				t.Errorf("%v, want %q", err, tt.code)
			}
			want := len(tt.records)
			if tt.code != "" {
				want = 0
			}
			if n := len(cloud.Kinesis.Records(stream)); n != want {
				t.Errorf("%d records, want %d", n, want)
			}
		})
	}
}

// A stream may allow larger records.
func TestKinesis_maxRecordSize(t *testing.T) {
	cloud := awstest.Start(t)
	if err := cloud.Kinesis.SetStream(awstest.Stream, fake.StreamSettings{MaxRecordSizeKiB: 10240}); err != nil {
		t.Fatal(err)
	}
	if _, err := put(t.Context(), kinesis.NewFromConfig(config(t)), awstest.Stream, records(1, 10<<20-3)); err != nil {
		t.Error(err)
	}
}

// The MD5 of a key determines its shard.
func TestKinesis_shards(t *testing.T) {
	cloud := awstest.Start(t)
	cloud.Kinesis.CreateStream("four", 4)
	var all []types.PutRecordsRequestEntry
	// Their MD5s begin with the hexadecimal digits c, 9, e, c and 4, of which a shard has four.
	for _, key := range []string{"1", "b", "5", "2", "9"} {
		all = append(all, record(key, []byte(key)))
	}
	explicit := record("1", []byte("last"))
	explicit.ExplicitHashKey = aws.String("0")
	out, err := put(t.Context(), kinesis.NewFromConfig(config(t)), "four", append(all, explicit))
	if err != nil {
		t.Fatal(err)
	}
	var shards []string
	for _, r := range out.Records {
		shards = append(shards, strings.TrimPrefix(*r.ShardId, "shardId-00000000000"))
	}
	if diff := cmp.Diff([]string{"3", "2", "3", "3", "1"}, shards[:5]); diff != "" || shards[5] != "0" {
		t.Errorf("shards (-want +got):\n%s; explicitly %s", diff, shards[5])
	}
}

// One record that fails does not stop those after it, and the status is 200.
func TestKinesis_failedRecord(t *testing.T) {
	cloud := awstest.Start(t)
	cloud.Kinesis.Fail(func(c *fake.KinesisCall) {
		c.FailEntry = map[int]fake.KinesisError{1: {Code: "InternalFailure", Message: "Internal service failure."}}
	})
	out, err := put(t.Context(), kinesis.NewFromConfig(config(t)), awstest.Stream, records(3, 1))
	if err != nil || *out.FailedRecordCount != 1 || *out.Records[1].ErrorCode != "InternalFailure" || out.Records[1].SequenceNumber != nil || out.Records[2].ErrorCode != nil {
		t.Errorf("%+v, %v", out, err)
	}
	if n := len(cloud.Kinesis.Records(awstest.Stream)); n != 2 {
		t.Errorf("%d records, want 2", n)
	}
}

// A shard takes only so many records and bytes in a second.
func TestKinesis_throughput(t *testing.T) {
	for _, settings := range []fake.StreamSettings{{ShardRecords: 2}, {ShardBytes: 2 * 13}} {
		cloud, clock := awstest.Start(t), newClock()
		cloud.Kinesis.SetClock(clock.read)
		if err := cloud.Kinesis.SetStream(awstest.Stream, settings); err != nil {
			t.Fatal(err)
		}
		client := kinesis.NewFromConfig(config(t))
		same := []types.PutRecordsRequestEntry{record("key", make([]byte, 10)), record("key", make([]byte, 10)), record("key", make([]byte, 10))}
		for range 2 {
			out, err := put(t.Context(), client, awstest.Stream, same)
			if err != nil || *out.FailedRecordCount != 1 || *out.Records[2].ErrorCode != "ProvisionedThroughputExceededException" {
				t.Errorf("%+v: %+v, %v", settings, out, err)
			}
			clock.advance(time.Second)
		}
	}
}

// PutRecords promises no order within a call.
func TestKinesis_reverse(t *testing.T) {
	cloud := awstest.Start(t)
	cloud.Kinesis.Reverse(true)
	out, err := put(t.Context(), kinesis.NewFromConfig(config(t)), awstest.Stream, []types.PutRecordsRequestEntry{record("k", []byte("a")), record("k", []byte("b"))})
	stored := cloud.Kinesis.Records(awstest.Stream)
	if err != nil || len(stored) != 2 || string(stored[0].Data) != "b" || *out.Records[0].SequenceNumber != stored[1].SequenceNumber || stored[0].SequenceNumber >= stored[1].SequenceNumber {
		t.Errorf("%+v, %+v, %v", stored, out, err)
	}
}

// A dry run stores nothing. It fails with an error that says that it would not have.
func TestKinesis_dryRun(t *testing.T) {
	cloud := awstest.Start(t)
	client := kinesis.NewFromConfig(config(t))
	for _, tt := range []struct {
		stream, key, code string
	}{{awstest.Stream, "k", "DryRunOperationException"}, {awstest.Stream, text(257), "ValidationException"}, {"nowhere", "k", "ResourceNotFoundException"}} {
		_, err := client.PutRecords(t.Context(), &kinesis.PutRecordsInput{StreamName: &tt.stream, DryRun: aws.Bool(true), Records: []types.PutRecordsRequestEntry{record(tt.key, []byte("x"))}})
		if code(err) != tt.code {
			t.Errorf("%s: %v, want %q", tt.stream, err, tt.code)
		}
	}
	if n := len(cloud.Kinesis.Records(awstest.Stream)); n != 0 {
		t.Errorf("%d records", n)
	}
}

func TestKinesis_streamNames(t *testing.T) {
	awstest.Start(t)
	client := kinesis.NewFromConfig(config(t))
	const arn = "arn:aws:kinesis:eu-west-1:123456789012:stream/"
	for _, tt := range []struct {
		name, arn, code string
	}{
		{awstest.Stream, "", ""},
		{"", arn + awstest.Stream, ""},
		{awstest.Stream, arn + awstest.Stream, ""},
		{"", "", "InvalidArgumentException"},
		{"nowhere", "", "ResourceNotFoundException"},
		{"", "arn:aws:kinesis:eu-west-1:210987654321:stream/" + awstest.Stream, "ResourceNotFoundException"},
		{"other", arn + awstest.Stream, "ResourceNotFoundException"},
	} {
		in := &kinesis.PutRecordsInput{Records: records(1, 1)}
		if tt.name != "" {
			in.StreamName = &tt.name
		}
		if tt.arn != "" {
			in.StreamARN = &tt.arn
		}
		if _, err := client.PutRecords(t.Context(), in); code(err) != tt.code {
			t.Errorf("%q %q: %v, want %q", tt.name, tt.arn, err, tt.code)
		}
	}
}

func TestKinesis_summary(t *testing.T) {
	cloud := awstest.Start(t)
	client := kinesis.NewFromConfig(config(t))
	for _, tt := range []struct {
		settings fake.StreamSettings
		want     string
	}{
		{fake.StreamSettings{}, "ACTIVE ON_DEMAND USER_PARTITION_KEY 1024 2"},
		{fake.StreamSettings{Auto: true, MaxRecordSizeKiB: 10240}, "ACTIVE ON_DEMAND AUTO 10240 2"},
		{fake.StreamSettings{Provisioned: true, Status: "CREATING"}, "CREATING PROVISIONED  1024 2"},
	} {
		if err := cloud.Kinesis.SetStream(awstest.Stream, tt.settings); err != nil {
			t.Fatal(err)
		}
		out, err := client.DescribeStreamSummary(t.Context(), &kinesis.DescribeStreamSummaryInput{StreamName: aws.String(awstest.Stream)})
		if err != nil {
			t.Fatal(err)
		}
		s := out.StreamDescriptionSummary
		if got := fmt.Sprint(s.StreamStatus, " ", s.StreamModeDetails.StreamMode, " ", s.RecordDistributionStrategy, " ", *s.MaxRecordSizeInKiB, " ", *s.OpenShardCount); got != tt.want {
			t.Errorf("%s, want %s", got, tt.want)
		}
	}
}

// A reader gets a shard's records in order, in pieces.
func TestKinesis_read(t *testing.T) {
	awstest.Start(t)
	client := kinesis.NewFromConfig(config(t))
	for i := range 5 {
		if _, err := client.PutRecord(t.Context(), &kinesis.PutRecordInput{StreamName: aws.String(awstest.Stream), PartitionKey: aws.String("k"), Data: fmt.Append(nil, i)}); err != nil {
			t.Fatal(err)
		}
	}
	shards, err := client.ListShards(t.Context(), &kinesis.ListShardsInput{StreamName: aws.String(awstest.Stream)})
	if err != nil || len(shards.Shards) != 2 || *shards.Shards[1].HashKeyRange.EndingHashKey != "340282366920938463463374607431768211455" {
		t.Fatalf("%+v, %v", shards, err)
	}
	var read []byte
	for _, shard := range shards.Shards {
		it, err := client.GetShardIterator(t.Context(), &kinesis.GetShardIteratorInput{StreamName: aws.String(awstest.Stream), ShardId: shard.ShardId, ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
		if err != nil {
			t.Fatal(err)
		}
		for next := it.ShardIterator; ; {
			out, err := client.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: next, Limit: aws.Int32(2)})
			if err != nil {
				t.Fatal(err)
			}
			if len(out.Records) == 0 {
				break
			}
			for _, r := range out.Records {
				read = append(read, r.Data...)
			}
			next = out.NextShardIterator
		}
	}
	if string(read) != "01234" {
		t.Errorf("read %s", read)
	}
}

func TestKinesis_faults(t *testing.T) {
	for _, tt := range []struct {
		name   string
		fault  func(*fake.KinesisCall)
		code   string
		stored int
	}{
		{"throttled", func(c *fake.KinesisCall) { c.Error = "ProvisionedThroughputExceededException" }, "ProvisionedThroughputExceededException", 0},
		{"refused by KMS", func(c *fake.KinesisCall) { c.Error = "KMSAccessDeniedException" }, "KMSAccessDeniedException", 0},
		{"an internal failure", func(c *fake.KinesisCall) { c.Error = "InternalFailureException" }, "InternalFailureException", 0},
		{"a proxy's error", func(c *fake.KinesisCall) { c.Status = http.StatusBadGateway }, "no answer", 0},
		{"hangs", func(c *fake.KinesisCall) { c.Hang = make(chan struct{}) }, "no answer", 0},
		{"the connection breaks", func(c *fake.KinesisCall) { c.DropConnection = true }, "no answer", 0},
		{"the answer is lost", func(c *fake.KinesisCall) { c.LoseAnswer = true }, "no answer", 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cloud := awstest.Start(t)
			calls := make(chan fake.KinesisCall, 1)
			cloud.Kinesis.Fail(func(c *fake.KinesisCall) {
				tt.fault(c)
				calls <- *c
			})
			ctx := t.Context()
			if tt.name == "hangs" {
				ctx = untilReached(t, func() bool { return len(calls) > 0 })
			}
			_, err := put(ctx, kinesis.NewFromConfig(config(t)), awstest.Stream, records(2, 1))
			if got := code(err); tt.code == "no answer" && !strings.HasPrefix(got, tt.code) || tt.code != "no answer" && got != tt.code {
				t.Errorf("%q, want %q", got, tt.code)
			}
			var failure *types.InternalFailureException
			if tt.name == "an internal failure" && !errors.As(err, &failure) {
				t.Errorf("error of type %T", err)
			}
			if n := len(cloud.Kinesis.Records(awstest.Stream)); n != tt.stored {
				t.Errorf("%d records stored, want %d", n, tt.stored)
			}
			if seen := <-calls; seen.Stream != awstest.Stream || len(seen.Entries) != 2 || !bytes.Equal(seen.Entries[0].Data, []byte{0}) || seen.Entries[1].PartitionKey != "001" {
				t.Errorf("the fault saw %+v", seen)
			}
		})
	}
}
