package fake_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/function/sink/awstest"
)

// kinesaliteDiffers lists the calls of which kinesalite thinks otherwise.
var kinesaliteDiffers = map[string]difference{
	"a record of a byte more": {"", "", "it does not count the key"},
	"10 MiB":                  {"UnknownError", "", "it has the limit of 2019, 5 MiB"},
	"a byte over 10 MiB":      {"UnknownError", "", "it refuses the request before it reads it"},
}

// startKinesalite starts kinesalite with a stream of four shards.
func startKinesalite(t *testing.T) *kinesis.Client {
	t.Helper()
	startNPM(t, "kinesalite.mjs", "kinesalite", "3.3.3")
	client := kinesis.NewFromConfig(config(t))
	if _, err := client.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: aws.String("four"), ShardCount: aws.Int32(4)}); err != nil {
		t.Fatal(err)
	}
	changetest.WaitFor(t, "an active stream", func() bool {
		s, err := client.DescribeStreamSummary(t.Context(), &kinesis.DescribeStreamSummaryInput{StreamName: aws.String("four")})
		return err == nil && s.StreamDescriptionSummary.StreamStatus == types.StreamStatusActive
	})
	return client
}

// kinesalite, a fake of Kinesis by others, agrees about the same calls, but for what is listed.
func TestKinesalite_puts(t *testing.T) {
	client := startKinesalite(t)
	for _, tt := range puts {
		t.Run(tt.name, func(t *testing.T) {
			want := difference{tt.code, "", ""}
			if d, ok := kinesaliteDiffers[tt.name]; ok {
				want = d
			}
			if _, err := put(t.Context(), client, "four", tt.records); code(err) != want.code {
				t.Errorf("%v, want %q", err, want.code)
			}
		})
	}
}

// Both put the same keys into the same shards, and number records in order.
func TestKinesalite_shards(t *testing.T) {
	placed := func(client *kinesis.Client) []string {
		var keys []types.PutRecordsRequestEntry
		for i := range 256 {
			keys = append(keys, record(*ptr("%d", i), []byte("x")))
		}
		out, err := put(t.Context(), client, "four", keys)
		if err != nil {
			t.Fatal(err)
		}
		var shards []string
		last := map[string]string{}
		for _, r := range out.Records {
			shards = append(shards, *r.ShardId)
			if n := *r.SequenceNumber; len(n) != 56 || n <= last[*r.ShardId] {
				t.Errorf("sequence number %s after %s", n, last[*r.ShardId])
			}
			last[*r.ShardId] = *r.SequenceNumber
		}
		return shards
	}
	theirs := placed(startKinesalite(t))
	cloud := awstest.Start(t)
	cloud.Kinesis.CreateStream("four", 4)
	for i, shard := range placed(kinesis.NewFromConfig(config(t))) {
		if shard != theirs[i] {
			t.Errorf("key %d: %s, theirs %s", i, shard, theirs[i])
		}
	}
}
