package aerospike

import (
	"encoding/binary"
	"fmt"
	"sync"
	"testing"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
)

// typical returns version v of record i of those whose digests end as d, of about 300 bytes in
// four bins.
func typical(b *testing.B, d change.Digest, i, v int, mode change.Mode) format.Parsed {
	b.Helper()
	c := written(v)
	c.Digest, c.Mode = d, mode
	binary.LittleEndian.PutUint32(c.Digest[:], uint32(i))
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

// BenchmarkPut stores batches of 500 changes, two at once, in a development node in the same
// process: the rate is that of both ends together, and of what makes the changes. With
// AEROSPIKE_HOST it is another server that stores them.
func BenchmarkPut(b *testing.B) {
	for _, bb := range []struct {
		name, path string
		mode       change.Mode
	}{
		{"raw", "/test/aerosink-raw?mode=raw", change.Replace},
		{"records", "/test?mode=records&versions=aerosink-test-versions", change.Replace},
		{"updates", "/test?mode=records&versions=aerosink-test-versions", change.Update},
		{"without versions", "/test?mode=records&versions=none", change.Replace},
	} {
		for _, records := range []string{"new", "changed"} {
			b.Run(bb.name+"/"+records, func(b *testing.B) {
				s, d := openAt(b, server(b), bb.path, sink.Options{}), fresh()
				b.ReportAllocs()
				const size, atOnce = 500, 2
				var group sync.WaitGroup
				for p := range atOnce {
					group.Go(func() {
						for i := p * size; i < b.N; i += atOnce * size {
							var batch sink.Batch
							for j := range min(size, b.N-i) {
								record, version := i+j, 1
								if records == "changed" {
									record, version = p*size+j, 1+i/size
								}
								batch.Changes = append(batch.Changes, typical(b, d, record, version, bb.mode))
							}
							for _, err := range s.Put(b.Context(), batch) {
								if err != nil {
									b.Error(err)
									return
								}
							}
						}
					})
				}
				group.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "changes/s")
			})
		}
	}
}
