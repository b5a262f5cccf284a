package ordered

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/aerosink/aerosink/function/sink/failures"
)

// BenchmarkPut measures Puts of 500 messages to a service that takes everything at once.
func BenchmarkPut(b *testing.B) {
	for name, messages := range map[string]int{"10 a call": 10, "500 a call": 500} {
		b.Run(name, func(b *testing.B) {
			s := New(Config[int]{
				Name: "test:", Call: func(context.Context, []int, []Result) {}, Messages: messages, Bytes: 10 << 20, Calls: 32,
				MaxMessages: 100_000, MaxBytes: 128 << 20, Timeout: 9 * time.Second, Pause: 2 * time.Second,
			})
			const changes = 500
			ids := make([]failures.ID, changes)
			batch := make([]Message[int], changes)
			for i := range batch {
				ids[i] = failures.ID{Record: uint64(i + 1), Content: 1}
				batch[i] = Message[int]{Entry: i, IDs: ids[i : i+1], Group: i % 256, Size: 1000}
			}
			b.ReportAllocs()
			for b.Loop() {
				if errs := s.Put(b.Context(), batch); errs != nil {
					b.Fatal(errs)
				}
			}
			b.ReportMetric(float64(b.N)*changes/b.Elapsed().Seconds(), "messages/s")
		})
	}
}

// BenchmarkPut_timeIsUp measures how long 100,000 queued messages take to fail, in Puts of 500,
// when a service does not answer.
func BenchmarkPut_timeIsUp(b *testing.B) {
	const puts, messages = 200, 500
	for b.Loop() {
		b.StopTimer()
		blocked := make(chan struct{})
		s := New(Config[int]{
			Name: "test:", Call: func(context.Context, []int, []Result) { <-blocked }, Messages: 500, Bytes: 10 << 20, Calls: 1,
			MaxMessages: puts * messages, MaxBytes: 128 << 20, Timeout: time.Hour, Pause: 2 * time.Second,
		})
		ctx, cancel := context.WithCancel(context.Background())
		var queued, failed sync.WaitGroup
		for put := range puts {
			batch := make([]Message[int], messages)
			for i := range batch {
				batch[i] = Message[int]{IDs: []failures.ID{{Record: uint64(put*messages + i + 1), Content: 1}}, Size: 1000}
			}
			queued.Add(1)
			failed.Go(func() {
				queued.Done()
				s.Put(ctx, batch)
			})
		}
		queued.Wait()
		for n := 0; n < puts*messages; n, _ = s.Queued() {
			runtime.Gosched()
		}
		b.StartTimer()
		cancel()
		failed.Wait()
		b.StopTimer()
		close(blocked)
		s.Close()
		b.StartTimer()
	}
}
