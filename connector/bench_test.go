package connector

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/deliver/post"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/deliver"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/json"
	"github.com/aerosink/aerosink/connector/format/raw"
	"github.com/aerosink/aerosink/connector/xdr"
)

// captured returns a frame like the captured ones, about 200 bytes long, that writes
// record i.
func captured(b *testing.B, i int) []byte {
	b.Helper()
	var p change.Packer
	p.Open(change.KindMap, change.Unordered)
	for _, k := range []string{"a", "b"} {
		p.Add(change.StringValue([]byte(k)))
		p.Add(change.IntegerValue(int64(i % 100)))
	}
	p.Close()
	m, err := p.Value(change.KindMap)
	if err != nil {
		b.Fatal(err)
	}
	c := change.Change{
		Namespace: "test", Set: "myset", Digest: change.Digest{byte(i), byte(i >> 8), byte(i >> 16)}, Key: change.IntegerValue(int64(i)),
		Mode: change.Replace, Generation: 1, LUT: time.Now().UnixMilli(),
		Bins: []change.Bin{
			{Name: "name", Value: change.StringValue([]byte("somebody with a name of 38 characters!"))},
			{Name: "age", Value: change.IntegerValue(27)}, {Name: "mapTest", Value: m},
		},
	}
	f, err := xdr.AppendMessage(nil, &c, time.Now())
	if err != nil {
		b.Fatal(err)
	}
	return f
}

// BenchmarkThroughput measures the whole way of a change, from its XDR frame to its reply,
// with the source and the HTTP/2 destination on the same machine.
func BenchmarkThroughput(b *testing.B) {
	for _, bench := range []struct {
		name    string
		records int
		format  format.Format
	}{
		{"json", 500, json.Format{StringifyMapKeys: true}},
		{"xdr", 500, raw.Format{}},
		{"json-unbatched", 1, json.Format{StringifyMapKeys: true}},
	} {
		b.Run(bench.name, func(b *testing.B) { throughput(b, bench.records, bench.format) })
	}
}

func throughput(b *testing.B, records int, f format.Format) {
	there := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	there.Config.Protocols = new(http.Protocols)
	there.Config.Protocols.SetUnencryptedHTTP2(true)
	there.Start()
	defer there.Close()
	u, _ := url.Parse(there.URL)
	d := deliver.New(deliver.Config{
		Name: "there", URLs: []*url.URL{u}, Config: post.Config{Connections: 1, Streams: 100, ConnectTimeout: time.Second},
		Queue: 1 << 20, CallTimeout: 8 * time.Second,
	})
	defer d.Close(b.Context())
	s := New(Config{
		Pipelines:       allSets(Pipeline{Format: f, Stream: &deliver.Stream{Envelope: f, MaxRecords: records, MaxBytes: 4 << 20}, Destinations: []*deliver.Destination{d}}),
		MaxRecords:      32768,
		MaxBytes:        64 << 20,
		MaxMessageBytes: xdr.DefaultLimit,
		Metrics:         NewMetrics(prometheus.NewRegistry(), "bench"),
		Logger:          slog.New(slog.DiscardHandler),
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go func() { _ = s.Serve(b.Context(), l) }()

	const connections, distinct = 4, 4096
	stream := make([]byte, 0, distinct*256)
	var ends []int
	for i := range distinct {
		stream = append(stream, captured(b, i)...)
		ends = append(ends, len(stream))
	}
	b.SetBytes(int64(len(stream) / distinct))
	b.ReportAllocs()
	b.ResetTimer()
	done := make(chan error, connections)
	for range connections {
		go func() { done <- pump(l.Addr().String(), stream, ends, b.N/connections) }()
	}
	for range connections {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "changes/s")
}

// pump ships n frames over one connection, with at most a window of them unanswered, and
// reads the replies.
func pump(address string, stream []byte, ends []int, n int) error {
	const window = 4096
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	answered := make(chan int, 1024)
	failed := make(chan error, 1)
	go func() {
		buf := make([]byte, 64<<10)
		for pending, total := 0, 0; total < n*xdr.ReplySize; {
			got, err := conn.Read(buf)
			if err != nil {
				failed <- err
				return
			}
			total += got
			pending += got
			answered <- pending / xdr.ReplySize
			pending %= xdr.ReplySize
		}
		failed <- nil
	}()
	inFlight := 0
	for i := 0; i < n; {
		burst := min(window-inFlight, len(ends)-i%len(ends), n-i)
		if burst == 0 {
			inFlight -= <-answered
			continue
		}
		start := 0
		if at := i % len(ends); at > 0 {
			start = ends[at-1]
		}
		if _, err := conn.Write(stream[start:ends[i%len(ends)+burst-1]]); err != nil {
			return err
		}
		i += burst
		inFlight += burst
		for len(answered) > 0 {
			inFlight -= <-answered
		}
	}
	for inFlight > 0 {
		select {
		case k := <-answered:
			inFlight -= k
		case err := <-failed:
			if err != nil {
				return fmt.Errorf("%d unanswered: %w", inFlight, err)
			}
			failed <- nil
		}
	}
	return nil
}
