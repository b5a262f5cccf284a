package archive_test

import (
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/formats"
	"github.com/aerosink/aerosink/connector/format/json"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/archive/gcs"
	"github.com/aerosink/aerosink/function/sink/archive/s3"
	"github.com/aerosink/aerosink/function/sink/awstest"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// kilobytes returns n changes of about 1 KB of flat JSON, parsed with their bins.
func kilobytes(b *testing.B, sender, n int) sink.Batch {
	b.Helper()
	body := make([]byte, 0, n<<10)
	for i := range n {
		c := change.Change{Namespace: "shop", Set: "orders", Digest: change.Digest{byte(i), byte(i >> 8), byte(sender)}, Generation: 1, LUT: sinktest.Hour.UnixMilli() + int64(i)}
		for bin := range 12 {
			c.Bins = append(c.Bins,
				change.Bin{Name: fmt.Sprintf("count-%d", bin), Value: change.IntegerValue(int64(i*bin + sender*7919))},
				change.Bin{Name: fmt.Sprintf("name-%d", bin), Value: change.StringValue(fmt.Appendf(nil, "customer %d of the shop, row %x", i*31+bin, sender*i*2654435761))})
		}
		var err error
		if body, err = (json.Flat{MetadataKey: "metadata"}).Append(body, &c); err != nil {
			b.Fatal(err)
		}
	}
	parsed, err := formats.Parser{MetadataKey: "metadata", Bins: true}.Parse(format.MediaNDJSON, body)
	if err != nil {
		b.Fatal(err)
	}
	return sink.Batch{Changes: parsed}
}

// renew turns b into a different batch, number n, by changing the last number of each
// change.
func renew(b sink.Batch, n int) {
	const digits, after = 7, 2
	for i := range b.Changes {
		data := b.Changes[i].Data
		_ = strconv.AppendInt(data[:len(data)-digits-after], int64(1_000_000+n), 10)
	}
}

// BenchmarkArchive stores batches of 500 changes of 1 KB from 64 senders, each of which
// waits for the verdicts before it sends the next batch, in Cloud Storage and in S3.
func BenchmarkArchive(b *testing.B) {
	for _, tt := range []struct{ name, query string }{
		{"ndjson", ""}, {"ndjson.gz", "?compression=gzip"}, {"ndjson.zst", "?compression=zstd"},
		{"avro", "?format=avro"}, {"parquet", "?format=parquet"},
	} {
		b.Run(tt.name, func(b *testing.B) {
			server := sinktest.DiscardStorage(b)
			benchmarkArchive(b, sinktest.Parse(b, gcs.Parse, sinktest.ArchiveSink+tt.query, sink.Options{}), server.Objects)
		})
	}
	for _, tt := range []struct{ name, query string }{{"s3 ndjson", ""}, {"s3 ndjson.gz", "&compression=gzip"}} {
		b.Run(tt.name, func(b *testing.B) {
			server := awstest.DiscardS3(b)
			benchmarkArchive(b, sinktest.Parse(b, s3.Parse, awstest.ArchiveSink+tt.query, sink.Options{}), server.Objects)
		})
	}
}

// benchmarkArchive stores b.N batches. objects returns how many objects there are.
func benchmarkArchive(b *testing.B, spec sink.Spec, objects func() int64) {
	b.Helper()
	const senders, changes = 64, 500
	s := sinktest.Open(b, spec)
	batches := make([]sink.Batch, senders)
	size := 0
	for i := range batches {
		batches[i] = kilobytes(b, i, changes)
		for _, p := range batches[i].Changes {
			size += len(p.Data)
		}
	}
	b.SetBytes(int64(size / senders))
	b.ReportAllocs()
	b.ResetTimer()
	var sending sync.WaitGroup
	for sender := range senders {
		sending.Go(func() {
			for n := sender; n < b.N; n += senders {
				renew(batches[sender], n)
				if verdicts := s.Put(b.Context(), batches[sender]); verdicts != nil {
					b.Error(verdicts[0])
					return
				}
			}
		})
	}
	sending.Wait()
	b.StopTimer()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	b.ReportMetric(float64(b.N*changes)/b.Elapsed().Seconds(), "changes/s")
	b.ReportMetric(float64(b.N*changes)/float64(objects()), "changes/object")
	b.ReportMetric(float64(memory.Sys>>20), "MiB-sys")
}
