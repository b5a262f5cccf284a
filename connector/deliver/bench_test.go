package deliver_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/deliver/post"

	"github.com/aerosink/aerosink/connector/deliver"
)

// window limits how many changes are in flight at once.
type window struct {
	slots chan struct{}
	done  sync.WaitGroup
}

// Done implements change.Recipient.
func (w *window) Done(error) {
	<-w.slots
	w.done.Done()
}

// BenchmarkDeliver sends changes of 200 bytes to a server on the same machine, which
// responds at once.
func BenchmarkDeliver(b *testing.B) {
	for _, bench := range []struct {
		name    string
		records int
		change  func(*deliver.Config)
	}{
		{"batched", 500, func(*deliver.Config) {}},
		{"batched-gzip", 500, func(c *deliver.Config) { c.Gzip = true }},
		{"alone", 1, func(*deliver.Config) {}},
		{"alone-http1", 1, func(c *deliver.Config) { c.Protocol, c.Connections = post.HTTP1, 100 }},
	} {
		b.Run(bench.name, func(b *testing.B) {
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
			}))
			s.Config.Protocols = new(http.Protocols)
			s.Config.Protocols.SetHTTP1(true)
			s.Config.Protocols.SetUnencryptedHTTP2(true)
			s.Start()
			defer s.Close()
			c := config(b, s.URL)
			bench.change(&c)
			d := deliver.New(c)
			defer d.Close(b.Context())
			w := &window{slots: make(chan struct{}, 16384)}
			stream, record := batches(bench.records, 4<<20), make([]byte, 200)
			for i := range record {
				record[i] = byte('a' + i%26)
			}
			deadline := time.Now().Add(time.Hour)
			b.ReportAllocs()
			b.SetBytes(200)
			b.ResetTimer()
			for i := range b.N {
				w.slots <- struct{}{}
				w.done.Add(1)
				d.Send(deliver.Item{Stream: stream, Record: record, Namespace: "test", Set: "set", Partition: i & 4095, Deadline: deadline, To: w})
			}
			w.done.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "changes/s")
		})
	}
}
