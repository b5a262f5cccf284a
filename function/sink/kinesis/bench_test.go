package kinesis_test

import (
	"bytes"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awskinesis "github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/awsconfig"
	"github.com/aerosink/aerosink/function/sink/awstest"
	"github.com/aerosink/aerosink/function/sink/awstest/fake"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// kilobytes returns a batch of n changes of 1 KB, spread over the partitions.
func kilobytes(n int) sink.Batch {
	b := sinktest.Batch("orders", n)
	for i := range b.Changes {
		b.Changes[i].Data = append(append([]byte(`{"x":"`), bytes.Repeat([]byte("x"), 992)...), `"}`...)
		b.Changes[i].Change.Digest[1] ^= byte(i * 7)
		b.Changes[i].Change.Digest[2] = byte(i)
	}
	return b
}

// Concurrent Puts of 500 changes of 1 KB. The server that counts them is in the same process.
func BenchmarkPut(b *testing.B) {
	for _, bm := range []struct{ name, query string }{
		{"single", ""},
		{"digest", "?key=digest"},
		{"envelope", "?envelope=json"},
		{"packed", "?mode=packed"},
	} {
		b.Run(bm.name, func(b *testing.B) {
			server := awstest.InstantKinesis(b)
			s := open(b, awstest.StreamSink+bm.query, sink.Options{})
			measure(b, server, func(batch sink.Batch) error { return errors.Join(s.Put(b.Context(), batch)...) })
		})
	}
}

// BenchmarkSDK puts the same changes with AWS's client alone, as one call for each batch.
func BenchmarkSDK(b *testing.B) {
	server := awstest.InstantKinesis(b)
	config, err := awsconfig.Load(b.Context(), fake.Region)
	if err != nil {
		b.Fatal(err)
	}
	client := awskinesis.NewFromConfig(config)
	measure(b, server, func(batch sink.Batch) error {
		in := &awskinesis.PutRecordsInput{StreamName: aws.String(awstest.Stream), Records: make([]types.PutRecordsRequestEntry, len(batch.Changes))}
		for i := range in.Records {
			p := &batch.Changes[i]
			in.Records[i] = types.PutRecordsRequestEntry{Data: p.Data, PartitionKey: aws.String(strconv.Itoa(p.Change.Digest.Partition() % 256))}
		}
		_, err := client.PutRecords(b.Context(), in)
		return err
	})
}

// measure calls put with batches of 500 changes of 1 KB, 16 at a time.
func measure(b *testing.B, server *awstest.Instant, put func(sink.Batch) error) {
	b.Helper()
	batch := kilobytes(500)
	var puts atomic.Int64
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for range 16 {
		wg.Go(func() {
			for puts.Add(1) <= int64(b.N) {
				if err := put(batch); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(len(batch.Changes)*b.N)/b.Elapsed().Seconds(), "changes/s")
	b.ReportMetric(float64(server.Entries())/float64(max(server.Calls(), 1)), "records/call")
}
