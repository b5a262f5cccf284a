package kinesis_test

import (
	"bytes"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/awstest"
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
			batch := kilobytes(500)
			var puts atomic.Int64
			var wg sync.WaitGroup
			b.ReportAllocs()
			b.ResetTimer()
			for range 16 {
				wg.Go(func() {
					for puts.Add(1) <= int64(b.N) {
						if verdicts := s.Put(b.Context(), batch); verdicts != nil {
							b.Error(verdicts)
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(500*b.N)/b.Elapsed().Seconds(), "changes/s")
			b.ReportMetric(float64(server.Entries())/float64(max(server.Calls(), 1)), "records/call")
		})
	}
}
