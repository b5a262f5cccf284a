package row_test

import (
	"bytes"
	"cmp"
	"iter"
	"math"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink/row"
)

// file is a kind of file, with its codecs and the functions that write and read it.
type file struct {
	name   string
	codecs []string
	write  func([]row.Row, string) ([]byte, error)
	read   func([]byte) iter.Seq2[change.Change, error]

	metadata func([]byte) iter.Seq2[change.Change, error]
}

var files = []file{
	{"avro", []string{"null", "deflate", "snappy", "zstandard"}, row.AvroFile, func(b []byte) iter.Seq2[change.Change, error] {
		return row.ReadAvro(bytes.NewReader(b))
	}, func(b []byte) iter.Seq2[change.Change, error] {
		return row.ReadAvroMetadata(bytes.NewReader(b))
	}},
	{"parquet", []string{"none", "snappy", "gzip", "zstd"}, row.ParquetFile, func(b []byte) iter.Seq2[change.Change, error] {
		return row.ReadParquet(bytes.NewReader(b), int64(len(b)))
	}, func(b []byte) iter.Seq2[change.Change, error] {
		return row.ReadParquetMetadata(bytes.NewReader(b), int64(len(b)))
	}},
}

func eachFile(t *testing.T, test func(t *testing.T, f file, codec string)) {
	t.Helper()
	for _, f := range files {
		for _, codec := range f.codecs {
			t.Run(f.name+" "+codec, func(t *testing.T) { test(t, f, codec) })
		}
	}
}

func rowsOf(t rapid.TB, changes []change.Change) []row.Row {
	t.Helper()
	rows := make([]row.Row, len(changes))
	for i, c := range changes {
		var err error
		if rows[i], err = row.Of(&format.Parsed{Change: c}); err != nil {
			t.Fatal(err)
		}
	}
	return rows
}

func write(t rapid.TB, f file, codec string, rows []row.Row) []byte {
	t.Helper()
	b, err := f.write(rows, codec)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// collect returns the changes of a file, in the form of [changetest.Describe].
func collect(t rapid.TB, changes iter.Seq2[change.Change, error]) []string {
	t.Helper()
	var got []string
	for c, err := range changes {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(changetest.Describe(&c)))
	}
	return got
}

// kept returns what a row keeps of the change, in the form of [changetest.Describe].
func kept(t rapid.TB, c change.Change) string {
	t.Helper()
	if c.Op.IsDelete() {
		c.Bins, c.Expiry = nil, 0
	}
	c.Bins = slices.Clone(c.Bins)
	slices.SortFunc(c.Bins, func(a, b change.Bin) int { return cmp.Compare(a.Name, b.Name) })
	for i, b := range c.Bins {
		if b.Value.Kind() == change.KindGeoJSON {
			c.Bins[i].Value = change.GeoJSONValue(b.Value.Bytes())
		}
	}
	return string(changetest.Describe(&c))
}

// What is read from a file is what was written. The same rows make the same file.
func TestFile_roundTrip(t *testing.T) {
	eachFile(t, func(t *testing.T, f file, codec string) {
		rapid.Check(t, func(t *rapid.T) {
			a := changetest.Arbitrary{Text: rapid.Bool().Draw(t, "text")}
			changes := rapid.SliceOfN(rapid.Custom(a.Change), 0, 5).Draw(t, "changes")
			var want []string
			for _, c := range changes {
				want = append(want, kept(t, c))
			}
			b := write(t, f, codec, rowsOf(t, changes))
			if diff := gocmp.Diff(want, collect(t, f.read(b))); diff != "" {
				t.Fatalf("(-want +got):\n%s", diff)
			}
			if again := write(t, f, codec, rowsOf(t, changes)); !bytes.Equal(b, again) {
				t.Fatal("the same rows made another file")
			}
		})
	})
}

// collection returns a list or map of the values.
func collection(kind change.Kind, order change.Order, values ...change.Value) change.Value {
	var p change.Packer
	p.Open(kind, order)
	for _, v := range values {
		p.Add(v)
	}
	p.Close()
	v, err := p.Value(kind)
	if err != nil {
		panic(err)
	}
	return v
}

func text(s string) change.Value { return change.StringValue([]byte(s)) }

// all has a value of every kind, and values that other formats do not keep as they are.
var all = func() change.Change {
	c := change.Change{
		Op: change.Write, Mode: change.Replace, Namespace: "shop", Set: "orders", Digest: change.Digest{0x34, 0xF2, 3},
		Key: change.IntegerValue(math.MinInt64), Generation: math.MaxUint32, LUT: 1795350896789, Expiry: 1795350896, SourceID: 255, BinLUTs: true,
	}
	for name, v := range map[string]change.Value{
		"null": {}, "int": change.IntegerValue(math.MaxInt64), "uint": change.UnsignedValue(math.MaxUint64),
		"float": change.DoubleValue(math.Copysign(0, -1)), "nan": change.DoubleValue(math.Float64frombits(0x7ff8_dead_beef_0001)),
		"true": change.BoolValue(true), "false": change.BoolValue(false), "str": text("é\x00世"), "empty": text(""), "latin": text("\xe9"),
		"blob": change.BytesValue(change.KindBlob, []byte{0, 255}), "blank": change.BytesValue(change.KindBlob, []byte{}),
		"java": change.BytesValue(change.KindJavaBlob, []byte{1}), "hll": change.BytesValue(change.KindHLL, []byte{2}), "new": change.BytesValue(99, []byte{3}),
		"geojson": change.GeoJSONValue([]byte(`{"type": "Point"}`)), "geo": change.GeoJSONValue([]byte(`{`)),
		"list": collection(change.KindList, change.Ordered, change.IntegerValue(1), change.UnsignedValue(math.MaxUint64), text("a")),
		"map":  collection(change.KindMap, change.KeyOrdered, text("a"), change.DoubleValue(1)),
		"kv":   collection(change.KindMap, change.KeyValueOrdered),
		"rich": collection(change.KindList, change.Unordered, change.DoubleValue(math.Inf(1)), change.BytesValue(change.KindBlob, []byte{1})),
		"ints": collection(change.KindMap, change.KeyOrdered, change.IntegerValue(1), text("a")),
		"both": collection(change.KindMap, change.Unordered, change.IntegerValue(1), text("a"), text("1"), text("b")),
		"none": collection(change.KindMap, change.Unordered, change.Value{}, text("a")),
	} {
		c.Bins = append(c.Bins, change.Bin{Name: name, Value: v})
	}
	slices.SortFunc(c.Bins, func(a, b change.Bin) int { return cmp.Compare(a.Name, b.Name) })
	c.Bins[0].LUT, c.Bins[0].SourceID = 1795350896000, 7
	return c
}()

func binOf(c change.Change, name string) change.Value {
	i := slices.IndexFunc(c.Bins, func(b change.Bin) bool { return b.Name == name })
	return c.Bins[i].Value
}

// A file keeps values of every kind, floats bit by bit.
func TestFile_everyKind(t *testing.T) {
	eachFile(t, func(t *testing.T, f file, codec string) {
		for c, err := range f.read(write(t, f, codec, rowsOf(t, []change.Change{all}))) {
			if err != nil {
				t.Fatal(err)
			}
			if diff := gocmp.Diff(kept(t, all), string(changetest.Describe(&c))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, name := range []string{"float", "nan"} {
				if want, got := math.Float64bits(binOf(all, name).Double()), math.Float64bits(binOf(c, name).Double()); got != want {
					t.Errorf("%s: %x, want %x", name, got, want)
				}
			}
		}
	})
}

// Unknown metadata is still unknown after reading, and different from zero.
func TestFile_unknownMetadata(t *testing.T) {
	eachFile(t, func(t *testing.T, f file, codec string) {
		changes := []change.Change{
			{Namespace: "n", Expiry: change.ExpiryUnknown},
			{Namespace: "n"}, // never expires
			{Op: change.Delete, Namespace: "n"},
			{Op: change.DurableDelete, Namespace: "n", Expiry: change.ExpiryUnknown, Bins: []change.Bin{{Name: "a"}}},
			{Mode: change.Update, Namespace: "n", Key: change.BytesValue(change.KindBlob, []byte{})},
		}
		var want []string
		for _, c := range changes {
			want = append(want, kept(t, c))
		}
		if diff := gocmp.Diff(want, collect(t, f.read(write(t, f, codec, rowsOf(t, changes))))); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestOf_errors(t *testing.T) {
	with := func(bins ...change.Bin) change.Change { return change.Change{Namespace: "n", Bins: bins} }
	for name, tt := range map[string]struct {
		c    change.Change
		want string
	}{
		"namespace":     {change.Change{Namespace: "\xff"}, "the namespace is not UTF-8"},
		"set":           {change.Change{Set: "\xff"}, "the set is not UTF-8"},
		"lut":           {change.Change{LUT: 253402300800000}, "outside the years"},
		"early lut":     {change.Change{LUT: -1}, "outside the years"},
		"expiry":        {change.Change{Expiry: math.MaxInt64}, "outside the years"},
		"early expiry":  {change.Change{Expiry: -2}, "outside the years"},
		"key":           {change.Change{Key: change.BoolValue(true)}, "unsupported user key of kind bool"},
		"opaque key":    {change.Change{Key: change.BytesValue(change.KindOpaque, nil)}, "unsupported user key of kind opaque"},
		"two bins":      {with(change.Bin{Name: "b"}, change.Bin{Name: "a"}, change.Bin{Name: "b"}), "duplicate bin b"},
		"name of a bin": {with(change.Bin{Name: "\xff"}), "the name of a bin is not UTF-8"},
		"opaque":        {with(change.Bin{Name: "a", Value: change.BytesValue(change.KindOpaque, nil)}), "bin a: a value of kind opaque"},
		"bin LUT":       {with(change.Bin{Name: "a", LUT: math.MaxInt64}), "bin a: the last update time"},
	} {
		_, err := row.Of(&format.Parsed{Change: tt.c})
		if !change.IsPermanent(err) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want a permanent %q", name, err, tt.want)
		}
	}
}

func TestFile_unknownCodec(t *testing.T) {
	for _, f := range files {
		if _, err := f.write(nil, "lzo"); err == nil || !strings.Contains(err.Error(), `unknown codec "lzo"; known are`) {
			t.Errorf("%s: error %v of an unknown codec", f.name, err)
		}
	}
}
