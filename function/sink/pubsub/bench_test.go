package pubsub_test

import (
	"bytes"
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	google "cloud.google.com/go/pubsub/v2"

	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

const putters = 160

// of500 returns a batch of 500 changes of 1 KB, spread over the partitions.
func of500() sink.Batch { return kilobytes(500) }

func kilobytes(n int) sink.Batch {
	b := sinktest.Batch("orders", n)
	for i := range b.Changes {
		b.Changes[i].Data = bytes.Repeat([]byte("x"), 1000)
		b.Changes[i].Change.Digest[1] ^= byte(i * 7)
		b.Changes[i].Change.Digest[2] = byte(i)
	}
	return b
}

// concurrently calls put from many goroutines, n times in all.
func concurrently(n, callers int, put func()) {
	var calls atomic.Int64
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for calls.Add(1) <= int64(n) {
				put()
			}
		})
	}
	wg.Wait()
}

// report reports the throughput and how full requests were.
func report(b *testing.B, server *sinktest.Instant, changes int) {
	b.Helper()
	b.ReportMetric(float64(changes)/b.Elapsed().Seconds(), "changes/s")
	b.ReportMetric(float64(server.Messages())/float64(max(server.Requests(), 1)), "messages/request")
	if server.Messages() != int64(changes) {
		b.Errorf("%d messages for %d changes", server.Messages(), changes)
	}
}

// Concurrent Puts of 500 changes of 1 KB, through our publisher and Google's.
func BenchmarkPublish(b *testing.B) {
	for _, keys := range []int{0, 256} {
		name := "unordered"
		if keys > 0 {
			name = strconv.Itoa(keys) + " keys"
		}
		b.Run("ours/"+name, func(b *testing.B) {
			server := sinktest.InstantPubSub(b)
			s := open(b, sinktest.PubSubSink+"?ordering="+strconv.Itoa(keys), sink.Options{})
			batch := of500()
			b.ReportAllocs()
			b.ResetTimer()
			concurrently(b.N, putters, func() {
				if verdicts := s.Put(b.Context(), batch); verdicts != nil {
					b.Error(verdicts)
				}
			})
			report(b, server, b.N*len(batch.Changes))
		})
		b.Run("google/"+name, func(b *testing.B) { benchmarkGoogle(b, keys) })
	}
}

func benchmarkGoogle(b *testing.B, keys int) {
	server := sinktest.InstantPubSub(b)
	client, err := google.NewClient(b.Context(), "test-project")
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	p := client.Publisher("changes")
	defer p.Stop()
	p.EnableMessageOrdering = keys > 0
	p.PublishSettings.CountThreshold = 1000
	batch := of500()
	b.ReportAllocs()
	b.ResetTimer()
	concurrently(b.N, 32, func() {
		results := make([]*google.PublishResult, len(batch.Changes))
		for i := range batch.Changes {
			results[i] = p.Publish(context.Background(), googleMessage(&batch.Changes[i], keys))
		}
		for _, r := range results {
			if _, err := r.Get(b.Context()); err != nil {
				b.Error(err)
			}
		}
	})
	report(b, server, b.N*len(batch.Changes))
}

// googleMessage returns the message that we encode for a change, as Google's type.
func googleMessage(p *format.Parsed, keys int) *google.Message {
	c := &p.Change
	m := &google.Message{Data: p.Data, Attributes: map[string]string{
		"format": p.Format, "namespace": c.Namespace, "set": c.Set, "op": c.Op.String(), "digest": c.Digest.String(),
		"partition": strconv.Itoa(c.Digest.Partition()), "generation": "1", "lut": strconv.FormatInt(c.LUT, 10), "expiry": "0",
	}}
	if keys > 0 {
		m.OrderingKey = strconv.Itoa(c.Digest.Partition() % keys)
	}
	return m
}

// Puts of one change from 1, 100 and 1,000 concurrent callers.
func BenchmarkPutOfOne(b *testing.B) {
	for _, keys := range []int{0, 256} {
		for _, callers := range []int{1, 100, 1000} {
			b.Run(strconv.Itoa(keys)+" keys/"+strconv.Itoa(callers)+" callers", func(b *testing.B) {
				server := sinktest.InstantPubSub(b)
				s := open(b, sinktest.PubSubSink+"?ordering="+strconv.Itoa(keys), sink.Options{})
				batch := kilobytes(1000)
				var next atomic.Int64
				b.ReportAllocs()
				b.ResetTimer()
				concurrently(b.N, callers, func() {
					one := sink.Batch{Changes: batch.Changes[next.Add(1)%1000:][:1]}
					if verdicts := s.Put(b.Context(), one); verdicts != nil {
						b.Error(verdicts)
					}
				})
				report(b, server, b.N)
			})
		}
	}
}
