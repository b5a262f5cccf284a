package formats_test

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/formats"
	"github.com/aerosink/aerosink/connector/format/json"
	"github.com/aerosink/aerosink/connector/format/msgpack"
	"github.com/aerosink/aerosink/connector/format/raw"
)

// BenchmarkParse reads requests of 500 changes of 1 KB, all that they hold or the
// metadata alone.
func BenchmarkParse(b *testing.B) {
	const n = 500
	changes := make([]change.Change, n)
	for i := range changes {
		c := &changes[i]
		*c = change.Change{Namespace: "shop", Set: "orders", Key: change.StringValue([]byte("order-1001")), Generation: 7, LUT: 1735689600123, Expiry: 1893456000}
		binary.BigEndian.PutUint32(c.Digest[:], uint32(i))
		for j := range 20 {
			c.Bins = append(c.Bins, change.Bin{Name: fmt.Sprintf("bin%d", j), Value: change.StringValue(fmt.Appendf(nil, "the text in the bin of the number %d", j))})
		}
	}
	schema := newAvro(b, mapOfAnything)
	for _, f := range []format.Format{json.Format{}, json.Flat{MetadataKey: "metadata"}, msgpack.Format{}, schema, raw.Format{}} {
		body, mediaType := several(b, f, changes...)
		for name, bins := range map[string]bool{"metadata": false, "bins": true} {
			p := formats.Parser{MetadataKey: "metadata", Avro: schema, Bins: bins}
			b.Run(f.Name()+"/"+name, func(b *testing.B) {
				b.SetBytes(int64(len(body)))
				b.ReportAllocs()
				for b.Loop() {
					if parsed, err := p.Parse(mediaType, body); err != nil || len(parsed) != n {
						b.Fatal(len(parsed), err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n)/float64(b.N), "ns/change")
			})
		}
	}
}
