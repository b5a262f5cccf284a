package aerospike

import (
	"fmt"
	"testing"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/devnode"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
)

// typical returns version v of record i, of about 300 bytes in four bins.
func typical(b *testing.B, i, v int) format.Parsed {
	b.Helper()
	c := written(v)
	c.Digest = change.Digest{byte(i), byte(i >> 8), byte(i >> 16), 1}
	c.Key = change.StringValue(fmt.Appendf(nil, "customer-%d", i))
	var p change.Packer
	p.Open(change.KindMap, change.KeyOrdered)
	for k := range 5 {
		p.Add(change.StringValue(fmt.Appendf(nil, "key-%d", k)))
		p.Add(change.IntegerValue(int64(i)))
	}
	p.Close()
	m, err := p.Value(change.KindMap)
	if err != nil {
		b.Fatal(err)
	}
	c.Bins = []change.Bin{
		{Name: "name", Value: change.StringValue(make([]byte, 200))}, {Name: "age", Value: change.IntegerValue(int64(i))},
		{Name: "score", Value: change.DoubleValue(1.5)}, {Name: "tags", Value: m},
	}
	return format.Parsed{Change: c, Data: make([]byte, 400), Format: "xdr"}
}

// BenchmarkPut stores batches of 500 changes, from several goroutines at once, in a
// development node in the same process, so that a core does the work of both ends.
func BenchmarkPut(b *testing.B) {
	for _, mode := range []string{
		"/test/s?mode=raw", "/test?mode=records&versions=none", "/test?mode=records", "/test?mode=records&write=update",
	} {
		for _, kind := range []string{"new", "changed"} {
			b.Run(mode[1:]+"/"+kind, func(b *testing.B) {
				n := node(b, devnode.Config{})
				s := open(b, n, mode, sink.Options{})
				const size = 500
				b.ReportAllocs()
				b.SetParallelism(2)
				batches := make(chan sink.Batch, 1)
				go func() {
					defer close(batches)
					for i := 0; i < b.N; i += size {
						var batch sink.Batch
						for j := range min(size, b.N-i) {
							record, version := i+j, 1
							if kind == "changed" {
								record, version = j, 1+i/size
							}
							batch.Changes = append(batch.Changes, typical(b, record, version))
						}
						batches <- batch
					}
				}()
				b.ResetTimer()
				b.RunParallel(func(p *testing.PB) {
					for batch := range batches {
						for _, err := range s.Put(b.Context(), batch) {
							if err != nil {
								b.Error(err)
								break
							}
						}
					}
					for p.Next() { // the batches are the work
					}
				})
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "changes/s")
			})
		}
	}
}
