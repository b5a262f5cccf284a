package newest_test

import (
	"encoding/binary"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/function/replay/newest"
	"github.com/aerosink/aerosink/function/sink/row"
)

// order returns version i of a record, of about 300 bytes in four bins.
func order(record, i int) change.Change {
	c := change.Change{Namespace: "shop", Set: "orders", Generation: uint32(i + 1), LUT: begin + int64(i)}
	binary.LittleEndian.PutUint64(c.Digest[:], uint64(record)*0x9e3779b97f4a7c15)
	c.Bins = []change.Bin{
		{Name: "name", Value: change.StringValue([]byte("a name of a hundred bytes or so, as bins in the documentation have it, and a little more than that"))},
		{Name: "count", Value: change.IntegerValue(int64(i))}, {Name: "price", Value: change.DoubleValue(float64(i) / 7)},
		{Name: "note", Value: change.StringValue([]byte("another text, which is not quite as long as the first one"))},
	}
	return c
}

// An index of an archive, and one pass over its records. A record has two versions.
func BenchmarkIndex(b *testing.B) {
	const objects, size = 20, 10_000
	for name, write := range map[string]func(t rapid.TB, changes ...change.Change) []byte{
		"ndjson": lines,
		"avro": func(t rapid.TB, changes ...change.Change) []byte {
			return rowFile(t, row.AvroFile, "snappy", changes...)
		},
		"parquet": func(t rapid.TB, changes ...change.Change) []byte {
			return rowFile(t, row.ParquetFile, "zstd", changes...)
		},
	} {
		b.Run(name, func(b *testing.B) {
			a := newArchive(b, b.TempDir())
			for i := range objects {
				changes := make([]change.Change, size)
				for j := range changes {
					changes[j] = order((i*size+j)/2, (i*size+j)%2)
				}
				a.add(fmt.Sprintf("%d.%s", i, name), write(b, changes...))
			}
			for b.Loop() {
				x, _ := a.read(newest.Options{})
				n := 0
				for _, err := range x.Records("shop") {
					if err != nil {
						b.Fatal(err)
					}
					n++
				}
				if n != objects*size/2 {
					b.Fatal(n)
				}
				closed(b, x)
			}
			b.ReportMetric(objects*size*float64(b.N)/b.Elapsed().Seconds(), "changes/s")
		})
	}
}
