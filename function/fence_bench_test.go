package function_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/devnode"
	"github.com/aerosink/aerosink/connector/devnode/devnodetest"
	"github.com/aerosink/aerosink/connector/format/json"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// fenceBody is a body whose changes get another last update time for each request.
type fenceBody struct {
	text  []byte
	times []int // where they are
}

// newFenceBody returns a body with changes of records that no other number has.
func newFenceBody(b *testing.B, number int64) *fenceBody {
	b.Helper()
	f := json.Flat{MetadataKey: "metadata"}
	var records []byte
	for i := range benchChanges {
		c := change.Change{
			Namespace: "shop", Set: "orders", Digest: change.Digest{byte(i), byte(i >> 8), 18: byte(number), 19: byte(number >> 8)},
			Key: change.IntegerValue(int64(i)), Generation: 7, LUT: changetest.Receipt.UnixMilli(),
		}
		for j := range 20 {
			c.Bins = append(c.Bins, change.Bin{Name: fmt.Sprintf("bin%d", j), Value: change.StringValue(fmt.Appendf(nil, "the text in the bin of the number %d", j))})
		}
		var err error
		if records, err = f.Append(records, &c); err != nil {
			b.Fatal(err)
		}
	}
	body := &fenceBody{}
	body.text, _ = f.Seal(records, benchChanges)
	member := fmt.Appendf(nil, `"lut":%d`, changetest.Receipt.UnixMilli())
	for at := 0; ; {
		n := bytes.Index(body.text[at:], member)
		if n < 0 {
			return body
		}
		at += n + len(member)
		body.times = append(body.times, at-13)
	}
}

// at returns the body with another last update time.
func (f *fenceBody) at(number int64) []byte {
	digits := fmt.Appendf(nil, "%d", changetest.Receipt.UnixMilli()+number)
	for _, at := range f.times {
		copy(f.text[at:], digits)
	}
	return f.text
}

// BenchmarkFence measures whole requests of 500 new versions of records, from the body to the IDs
// of messages, without a fence, with one in memory, and with one in a node in this process.
func BenchmarkFence(b *testing.B) {
	node := devnodetest.Start(b, devnode.Config{Namespaces: []string{"state"}})
	var senders, requests atomic.Int64 // also of earlier runs, whose states are still in the node
	for _, tt := range []struct{ name, fence, sink string }{
		{"none", "", ""},
		{"memory", "memory", ""},
		{"aerospike", "", ",aerospike://" + node.Addr() + "/state/fence?mode=fence"},
	} {
		b.Run(tt.name, func(b *testing.B) {
			cloud := sinktest.InstantPubSub(b)
			h := benchReceiver(b, "SINKS", sinktest.PubSubSink+"?ordering=256"+tt.sink, "FENCE", tt.fence)
			b.SetParallelism((8 + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0))
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				body := newFenceBody(b, senders.Add(1))
				for pb.Next() {
					req := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body.at(requests.Add(1))))
					req.Header.Set("Content-Type", "application/json")
					w := httptest.NewRecorder()
					if h.ServeHTTP(w, req); w.Code != http.StatusOK {
						b.Errorf("status %d: %s", w.Code, w.Body)
						return
					}
				}
			})
			b.StopTimer()
			b.ReportMetric(float64(b.N*benchChanges)/b.Elapsed().Seconds(), "changes/s")
			if n := cloud.Messages(); n < int64(b.N*benchChanges) {
				b.Errorf("%d messages for %d requests: some were taken for duplicates", n, b.N)
			}
		})
	}
}
