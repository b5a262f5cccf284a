package function_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/avro"
	"github.com/aerosink/aerosink/connector/format/json"
	"github.com/aerosink/aerosink/connector/format/msgpack"
	"github.com/aerosink/aerosink/connector/format/raw"
	"github.com/aerosink/aerosink/function"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// benchChanges is the number of changes in a request of the benchmarks. Each has about 1 KB.
const benchChanges = 500

// mapOfAnything is an Avro schema for the changes of these tests.
const mapOfAnything = `{"type":"map","values":["null","boolean","long","string","bytes",{"type":"map","values":["boolean","long","string","bytes"]}]}`

// benchFormats returns all formats that requests can have.
func benchFormats(tb testing.TB) []format.Format {
	tb.Helper()
	avro, err := avro.New(mapOfAnything, "metadata", true)
	if err != nil {
		tb.Fatal(err)
	}
	return []format.Format{json.Flat{MetadataKey: "metadata"}, json.Format{}, avro, msgpack.Format{}, raw.Format{}}
}

// requestMark is a placeholder for the number of the request, which makes every request
// different.
const requestMark = "(number)"

// benchBody returns the body of a request of n changes.
func benchBody(tb testing.TB, f format.Format, n int) (body []byte, mediaType string) {
	tb.Helper()
	var records []byte
	for i := range n {
		c := change.Change{
			Namespace: "shop", Set: "orders", Digest: change.Digest{byte(i), byte(i >> 4), byte(i >> 8)}, Key: change.IntegerValue(int64(i)),
			Generation: 7, LUT: changetest.Receipt.UnixMilli(),
		}
		c.Bins = append(c.Bins, change.Bin{Name: "request", Value: change.StringValue([]byte(requestMark))})
		for j := range 20 {
			c.Bins = append(c.Bins, change.Bin{Name: fmt.Sprintf("bin%d", j), Value: change.StringValue(fmt.Appendf(nil, "the text in the bin of the number %d", j))})
		}
		var err error
		if records, err = f.Append(records, &c); err != nil {
			tb.Fatal(err)
		}
	}
	return f.Seal(records, n)
}

func benchReceiver(b *testing.B, pairs ...string) *function.Receiver {
	b.Helper()
	r := function.New(environment(env(pairs...)), slog.New(slog.DiscardHandler))
	b.Cleanup(func() {
		if err := r.Close(); err != nil {
			b.Error(err)
		}
	})
	if err := r.Open(); err != nil {
		b.Fatal(err)
	}
	return r
}

// senders is the number of requests that a benchmark has in flight.
const senders = 64

// benchPost posts the body b.N times, from many senders.
func benchPost(b *testing.B, h http.Handler, mediaType string, body []byte, changes int) {
	b.Helper()
	b.SetBytes(int64(len(body)))
	b.SetParallelism((senders + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0))
	var number atomic.Uint32
	mark := bytes.Index(body, []byte(requestMark))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		body := bytes.Clone(body)
		for pb.Next() {
			copy(body[mark:], fmt.Sprintf("%08x", number.Add(1)))
			req := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
			req.Header.Set("Content-Type", mediaType)
			w := httptest.NewRecorder()
			if h.ServeHTTP(w, req); w.Code != http.StatusOK {
				b.Errorf("status %d: %s", w.Code, w.Body)
				return
			}
		}
	})
	b.StopTimer()
	runtime.ReadMemStats(&after)
	n := float64(b.N * changes)
	b.ReportMetric(n/b.Elapsed().Seconds(), "changes/s")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/n, "allocs/change")
}

// BenchmarkReceive measures whole requests, from the body to the IDs of messages.
func BenchmarkReceive(b *testing.B) {
	for _, f := range benchFormats(b) {
		body, mediaType := benchBody(b, f, benchChanges)
		for name, query := range map[string]string{"unordered": "", "ordering=256": "?ordering=256"} {
			b.Run(f.Name()+"/"+name, func(b *testing.B) {
				cloud := sinktest.InstantPubSub(b)
				benchPost(b, benchReceiver(b, "SINKS", sinktest.PubSubSink+query), mediaType, body, benchChanges)
				if n := cloud.Messages(); n < int64(b.N*benchChanges) {
					b.Errorf("%d messages for %d requests", n, b.N)
				}
			})
		}
	}
}

// BenchmarkArchive measures whole requests, from the body to finalised objects.
func BenchmarkArchive(b *testing.B) {
	body, mediaType := benchBody(b, json.Flat{MetadataKey: "metadata"}, benchChanges)
	for _, query := range []string{"compression=none", "compression=gzip", "compression=zstd", "format=avro", "format=parquet"} {
		b.Run(query, func(b *testing.B) {
			cloud := sinktest.DiscardStorage(b)
			benchPost(b, benchReceiver(b, "SINKS", sinktest.ArchiveSink+"?"+query), mediaType, body, benchChanges)
			b.ReportMetric(float64(cloud.Objects())/float64(b.N), "objects/request")
		})
	}
}

// BenchmarkOneByOne measures requests of one change, over HTTP/2 on loopback.
func BenchmarkOneByOne(b *testing.B) {
	cloud := sinktest.InstantPubSub(b)
	server := httptest.NewUnstartedServer(benchReceiver(b, "SINKS", sinktest.PubSubSink))
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	defer server.Close()
	transport := &http.Transport{Protocols: server.Config.Protocols}
	defer transport.CloseIdleConnections()
	body, mediaType := benchBody(b, json.Flat{MetadataKey: "metadata"}, 1)
	b.SetParallelism(senders)
	var failed atomic.Int64
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		client := http.Client{Transport: transport}
		for pb.Next() {
			resp, err := client.Post(server.URL, mediaType, bytes.NewReader(body))
			if err != nil {
				b.Error(err)
				return
			}
			if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
				failed.Add(1)
			}
			_ = resp.Body.Close()
		}
	})
	b.StopTimer()
	if failed.Load() > 0 || cloud.Messages() < int64(b.N) {
		b.Errorf("%d of %d requests failed, %d messages", failed.Load(), b.N, cloud.Messages())
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
}
