package formats_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/formats"
	"github.com/aerosink/aerosink/connector/format/json"
	"github.com/aerosink/aerosink/connector/format/msgpack"
	"github.com/aerosink/aerosink/connector/format/raw"
)

// BenchmarkParse reads requests of 500 changes of 1 KB, with their bins or only the
// metadata.
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

// ordinary returns a change like those in the captures.
func ordinary(b *testing.B) change.Change {
	b.Helper()
	var p change.Packer
	p.Open(change.KindMap, change.Unordered)
	p.Add(change.StringValue([]byte("a")))
	p.Add(change.IntegerValue(1))
	p.Close()
	m, err := p.Value(change.KindMap)
	if err != nil {
		b.Fatal(err)
	}
	return change.Change{
		Namespace: "test", Set: "myset", Key: change.IntegerValue(10), Generation: 1, LUT: 1734388704784,
		Bins: []change.Bin{{Name: "name", Value: change.StringValue([]byte("colton"))}, {Name: "age", Value: change.IntegerValue(27)}, {Name: "mapTest", Value: m}},
	}
}

func BenchmarkAppend(b *testing.B) {
	c := ordinary(b)
	for _, f := range []format.Format{typed, flat, packs, newAvro(b, schema(b, "schema-map.avsc")), raw.Format{}} {
		b.Run(f.Name(), func(b *testing.B) {
			benchmarkAppend(b, func(dst []byte) ([]byte, error) { return f.Append(dst, &c) })
		})
	}
}

func benchmarkAppend(b *testing.B, one func(dst []byte) ([]byte, error)) {
	var dst []byte
	var err error
	b.ReportAllocs()
	for b.Loop() {
		if dst, err = one(dst[:0]); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(dst)))
}

// BenchmarkParseBatch reads batches as the connector sends them to our function.
func BenchmarkParseBatch(b *testing.B) {
	const n = 500
	changes := slices.Repeat([]change.Change{ordinary(b)}, n)
	for _, f := range []format.Format{typed, packs, newAvro(b, schema(b, "schema-map.avsc")), raw.Format{}} {
		b.Run(f.Name(), func(b *testing.B) {
			body, mediaType := several(b, f, changes...)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if parsed, err := all.Parse(mediaType, body); err != nil || len(parsed) != n {
					b.Fatal(len(parsed), err)
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "changes/s")
		})
	}
}
