package kinesis_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awskinesis "github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/awsconfig"
	"github.com/aerosink/aerosink/function/sink/awstest"
	"github.com/aerosink/aerosink/function/sink/awstest/fake"
)

// version returns a version of a record. Its bytes say which.
func version(record, version int) format.Parsed {
	c := change.Change{Namespace: "shop", Digest: change.Digest{byte(record), 0, byte(record >> 8)}, Generation: uint32(version), LUT: int64(version)}
	return format.Parsed{Change: c, Data: fmt.Appendf(nil, `{"r":%d,"v":%d}`, record, version), Format: "json"}
}

// checkOrder returns an error unless the first copies of each record's versions are in order,
// and the last that is stored is the newest.
func checkOrder(records []fake.KinesisRecord) error {
	newest, last := map[int]int{}, map[int]int{}
	for _, r := range records {
		var stored struct{ R, V int }
		if err := json.Unmarshal(r.Data, &stored); err != nil {
			return err
		}
		last[stored.R] = stored.V
		switch {
		case stored.V <= newest[stored.R]: // a copy, unless one was left out
		case stored.V == newest[stored.R]+1:
			newest[stored.R] = stored.V
		default:
			return fmt.Errorf("version %d of record %d is stored after version %d", stored.V, stored.R, newest[stored.R])
		}
	}
	for record, v := range last {
		if v != newest[record] {
			return fmt.Errorf("version %d of record %d is stored last, and the newest is %d", v, record, newest[record])
		}
	}
	return nil
}

// Whatever fails, and in whatever order Kinesis stores the records of a call, readers get the
// versions of a record in order.
func TestPut_orderUnderFaults(t *testing.T) {
	cloud := awstest.Start(t)
	cloud.Kinesis.Reverse(true)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	cloud.Kinesis.Fail(func(call *fake.KinesisCall) { // for one call at a time
		switch random.IntN(20) {
		case 0:
			call.Error = "ProvisionedThroughputExceededException"
		case 1:
			call.Error = "InternalFailure"
		case 2:
			call.DropConnection = true
		case 3:
			call.LoseAnswer = true
		default:
			call.FailEntry = map[int]fake.KinesisError{}
			for i := range call.Entries {
				if random.IntN(8) == 0 {
					call.FailEntry[i] = fake.KinesisError{Code: []string{"InternalFailure", "ProvisionedThroughputExceededException"}[random.IntN(2)], Message: "a fault of the test"}
				}
			}
		}
	})
	s := open(t, awstest.StreamSink, sink.Options{})
	const writers, puts, records = 6, 4, 5
	var wg sync.WaitGroup
	for w := range writers {
		own := rand.New(rand.NewPCG(seed, uint64(w+1)))
		wg.Go(func() {
			versions := [records]int{}
			for range puts {
				var b sink.Batch
				for range 12 {
					r := own.IntN(records)
					versions[r]++
					b.Changes = append(b.Changes, version(w*records+r, versions[r]))
				}
				if verdicts := s.Put(t.Context(), b); verdicts != nil {
					t.Error(verdicts)
				}
			}
		})
	}
	wg.Wait()
	stored := cloud.Kinesis.Records(awstest.Stream)
	if err := checkOrder(stored); err != nil {
		t.Error(err)
	}
	if len(stored) < writers*puts*12 {
		t.Errorf("%d records are stored, want at least %d", len(stored), writers*puts*12)
	}
}

// retryFailedOnes puts changes as producers do that send those again that failed.
func retryFailedOnes(ctx context.Context, b sink.Batch) error {
	config, err := awsconfig.Load(ctx, fake.Region)
	if err != nil {
		return err
	}
	client := awskinesis.NewFromConfig(config)
	in := &awskinesis.PutRecordsInput{StreamName: aws.String(awstest.Stream)}
	for i := range b.Changes {
		p := &b.Changes[i]
		in.Records = append(in.Records, types.PutRecordsRequestEntry{Data: p.Data, PartitionKey: aws.String(strconv.Itoa(p.Change.Digest.Partition()))})
	}
	for len(in.Records) > 0 {
		out, err := client.PutRecords(ctx, in)
		if err != nil {
			return err
		}
		var failed []types.PutRecordsRequestEntry
		for i, r := range out.Records {
			if r.ErrorCode != nil {
				failed = append(failed, in.Records[i])
			}
		}
		in.Records = failed
	}
	return nil
}

// The same failure, and the order in which Kinesis stores a call, change the order of versions
// for a producer that sends again what failed, and not here.
func TestPut_orderWhereRetriesOfOneRecordLoseIt(t *testing.T) {
	b := sink.Batch{Changes: []format.Parsed{version(1, 1), version(2, 1), version(1, 2), version(1, 3)}}
	for _, tt := range []struct {
		name  string
		setUp func(*fake.Kinesis)
		naive string
	}{
		{"one record fails", func(k *fake.Kinesis) { k.Fail(once(failEntries("InternalFailure", 0))) }, "2.1 1.2 1.3 1.1"},
		{"stored in another order", func(k *fake.Kinesis) { k.Reverse(true) }, "1.3 1.2 2.1 1.1"},
	} {
		cloud := awstest.Start(t)
		tt.setUp(cloud.Kinesis)
		if err := retryFailedOnes(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		naive := cloud.Kinesis.Records(awstest.Stream)
		if got := versionsOf(naive); got != tt.naive || checkOrder(naive) == nil {
			t.Errorf("%s: retries of failed records store %s, want %s; the check of the order finds nothing", tt.name, got, tt.naive)
		}
		cloud = awstest.Start(t)
		tt.setUp(cloud.Kinesis)
		if verdicts := open(t, awstest.StreamSink, sink.Options{}).Put(t.Context(), b); verdicts != nil {
			t.Fatal(verdicts)
		}
		stored := cloud.Kinesis.Records(awstest.Stream)
		if err := checkOrder(stored); err != nil || len(stored) != len(b.Changes) {
			t.Errorf("%s: stored %s: %v", tt.name, versionsOf(stored), err)
		}
	}
}

// versionsOf lists the versions that are stored, such as 1.1 1.2.
func versionsOf(records []fake.KinesisRecord) string {
	var words []string
	for _, r := range records {
		var stored struct{ R, V int }
		_ = json.Unmarshal(r.Data, &stored) // else it shows as 0.0
		words = append(words, fmt.Sprintf("%d.%d", stored.R, stored.V))
	}
	return strings.Join(words, " ")
}

// A version that failed has to come again before a newer one is stored.
func TestPut_failedVersionComesFirst(t *testing.T) {
	cloud := awstest.Start(t)
	cloud.Kinesis.Fail(once(func(call *fake.KinesisCall) { call.Error = "AccessDeniedException" }))
	s := open(t, awstest.StreamSink+"?pause=1m", sink.Options{})
	for _, tt := range []struct {
		version int
		want    string
	}{{1, "-"}, {2, "-"}, {1, "+"}, {2, "+"}} {
		b := sink.Batch{Changes: []format.Parsed{version(1, tt.version)}}
		if got := outcome(b, s.Put(t.Context(), b)); got != tt.want {
			t.Errorf("version %d: %s, want %s", tt.version, got, tt.want)
		}
	}
	if got := versionsOf(cloud.Kinesis.Records(awstest.Stream)); got != "1.1 1.2" {
		t.Errorf("stored %s", got)
	}
}

// Packed records keep the order of a record as well.
func TestPut_packedOrder(t *testing.T) {
	cloud := awstest.Start(t)
	cloud.Kinesis.Reverse(true)
	var c calls
	cloud.Kinesis.Fail(c.fault(once(failEntries("InternalFailure", 0))))
	s := open(t, awstest.StreamSink+"?mode=packed&compression=none", sink.Options{})
	first := sink.Batch{Changes: []format.Parsed{version(1, 1), version(2, 1), version(1, 2)}}
	if verdicts := s.Put(t.Context(), first); verdicts != nil {
		t.Fatal(verdicts)
	}
	var lines []fake.KinesisRecord
	for _, r := range cloud.Kinesis.Records(awstest.Stream) {
		for line := range strings.Lines(string(r.Data)) {
			lines = append(lines, fake.KinesisRecord{Data: []byte(line)})
		}
	}
	if err := checkOrder(lines); err != nil || len(lines) != 3 {
		t.Errorf("stored %s: %v", versionsOf(lines), err)
	}
}

// A packed record that failed holds back later changes of all records in it.
func TestPut_failedPackedRecordComesFirst(t *testing.T) {
	cloud := awstest.Start(t)
	cloud.Kinesis.Fail(once(func(call *fake.KinesisCall) { call.Error = "AccessDeniedException" }))
	s := open(t, awstest.StreamSink+"?mode=packed&ordering=1&pause=1m", sink.Options{})
	first := []format.Parsed{version(1, 1), version(2, 1)}
	for _, tt := range []struct {
		changes []format.Parsed
		want    string
	}{{first, "--"}, {[]format.Parsed{version(2, 2)}, "-"}, {first, "++"}, {[]format.Parsed{version(2, 2)}, "+"}} {
		b := sink.Batch{Changes: tt.changes}
		if got := outcome(b, s.Put(t.Context(), b)); got != tt.want {
			t.Errorf("%s, want %s", got, tt.want)
		}
	}
}
