package sqs

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/awstest"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// kilobytes returns a batch of n changes of 1 KB of JSON, spread over the partitions.
func kilobytes(n int) sink.Batch {
	b := sinktest.Batch("orders", n)
	for i := range b.Changes {
		text := fmt.Appendf(nil, `{"key":%d,"values":[`, i)
		for j := 0; len(text) < 985; j++ {
			text = fmt.Appendf(text, "%d,", i*7919+j*j*104729)
		}
		b.Changes[i].Data = append(bytes.TrimSuffix(text, []byte(",")), "]}"...)
		b.Changes[i].Change.Digest[1] ^= byte(i * 7)
		b.Changes[i].Change.Digest[2] = byte(i)
	}
	return b
}

// Concurrent Puts of 500 changes of 1 KB. All of it is in one process: the sink, AWS's client,
// and the server that answers at once.
func BenchmarkPut(b *testing.B) {
	for _, query := range []string{"", "?group=queue", "?mode=packed", "?mode=packed&ordering=1"} {
		b.Run(query, func(b *testing.B) {
			server := awstest.InstantSQS(b)
			s := open(b, awstest.QueueSink+query, sink.Options{})
			batch := kilobytes(500)
			before := server.Calls()
			b.ReportAllocs()
			b.ResetTimer()
			var puts atomic.Int64
			var putting sync.WaitGroup
			for range 16 {
				putting.Go(func() {
					for puts.Add(1) <= int64(b.N) {
						if v := s.Put(b.Context(), batch); v != nil {
							b.Error(v)
						}
					}
				})
			}
			putting.Wait()
			b.ReportMetric(float64(b.N*len(batch.Changes))/b.Elapsed().Seconds(), "changes/s")
			b.ReportMetric(float64(server.Entries())/float64(max(server.Calls()-before, 1)), "messages/call")
		})
	}
}

// What encoding costs without sending.
func BenchmarkEncode(b *testing.B) {
	for _, query := range []string{"", "?mode=packed"} {
		b.Run(query, func(b *testing.B) {
			awstest.InstantSQS(b)
			q, _ := open(b, awstest.QueueSink+query, sink.Options{}).(*queue)
			batch := kilobytes(500)
			b.ReportAllocs()
			for b.Loop() {
				e := newEncoder(q, batch)
				e.encode()
			}
			b.ReportMetric(float64(b.N*len(batch.Changes))/b.Elapsed().Seconds(), "changes/s")
		})
	}
}
