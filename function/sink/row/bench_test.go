package row_test

import (
	"bytes"
	"fmt"
	"iter"
	"testing"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink/row"
)

// order returns change i, of about 1 KB in ten bins, as parsed from flat JSON.
func order(i int) format.Parsed {
	c := change.Change{
		Namespace: "shop", Set: "orders", Digest: change.Digest{byte(i), byte(i >> 8)}, Key: text(fmt.Sprint("order-", i)),
		Generation: uint32(i), LUT: 1795350896789 + int64(i),
	}
	items := collection(change.KindList, change.Unordered, text("apple"), change.IntegerValue(int64(i)), text("pear"), change.DoubleValue(1.25))
	for j := range 9 {
		c.Bins = append(c.Bins, change.Bin{Name: fmt.Sprint("bin", j), Value: text(string(bytes.Repeat([]byte{'a' + byte(j)}, 100+i%10)))})
	}
	c.Bins[3].Value, c.Bins[4].Value = change.IntegerValue(int64(i)*1001), change.DoubleValue(float64(i)/3)
	c.Bins = append(c.Bins, change.Bin{Name: "items", Value: items})
	return format.Parsed{Change: c}
}

func BenchmarkFile(b *testing.B) {
	const size = 5000
	var parsed []format.Parsed
	for i := range size {
		parsed = append(parsed, order(i))
	}
	for _, f := range files {
		for _, codec := range f.codecs {
			b.Run(f.name+" "+codec, func(b *testing.B) {
				b.ReportAllocs()
				rows := make([]row.Row, size)
				bytes := 0
				for b.Loop() {
					for i := range parsed {
						var err error
						if rows[i], err = row.Of(&parsed[i]); err != nil {
							b.Fatal(err)
						}
					}
					bytes = len(write(b, f, codec, rows))
				}
				b.ReportMetric(float64(size)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
				b.ReportMetric(float64(bytes)/size, "B/row")
			})
		}
	}
}

func BenchmarkRead(b *testing.B) {
	const size = 5000
	var changes []change.Change
	for i := range size {
		changes = append(changes, order(i).Change)
	}
	for _, f := range files {
		for _, codec := range f.codecs {
			file := write(b, f, codec, rowsOf(b, changes))
			b.Run(f.name+" "+codec, func(b *testing.B) { benchmarkRead(b, f.read, file, size) })
			b.Run(f.name+" "+codec+" metadata", func(b *testing.B) { benchmarkRead(b, f.metadata, file, size) })
		}
	}
}

// benchmarkRead reads a file with that many rows.
func benchmarkRead(b *testing.B, read func([]byte) iter.Seq2[change.Change, error], file []byte, rows int) {
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for _, err := range read(file) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != rows {
			b.Fatal(n)
		}
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
