package row_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	goparquet "github.com/fraugster/parquet-go"
	fraugster "github.com/fraugster/parquet-go/parquet"
	gocmp "github.com/google/go-cmp/cmp"
	"github.com/hamba/avro/v2/ocf"
	"github.com/klauspost/compress/zstd"
	"github.com/linkedin/goavro/v2"
	"github.com/parquet-go/parquet-go"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/function/sink/row"
)

// plain converts a value that another library returned, so that equal values of different
// libraries compare equal: a union becomes the value in it, a map of Parquet a map.
func plain(v any) any {
	switch v := v.(type) {
	case []byte:
		return string(v)
	case time.Time:
		return v.UnixMilli()
	case int32:
		return int64(v)
	case int:
		return int64(v)
	case [20]byte:
		return string(v[:])
	case map[string]any:
		return plainMap(v)
	case []map[string]any:
		m := map[string]any{}
		for _, entry := range v {
			m[fmt.Sprint(plain(entry["key"]))] = plain(entry["value"])
		}
		return m
	}
	return v
}

func plainMap(v map[string]any) any {
	for _, branch := range []string{"int", "long", "double", "string", "bytes", "boolean", "io.github.aerosink.Key", "long.timestamp-millis"} {
		if inner, ok := v[branch]; ok && len(v) == 1 {
			return plain(inner)
		}
	}
	if entries, ok := v["key_value"]; ok {
		return plain(entries)
	}
	m := map[string]any{}
	for name, inner := range v {
		if inner != nil { // Parquet leaves out nulls
			m[name] = plain(inner)
		}
	}
	return m
}

// wanted returns the row of sample as another library should read it.
func wanted() any {
	bin := func(label string, particle int64, columns ...any) map[string]any {
		m := map[string]any{"type": label, "particle": particle}
		for i := 0; i < len(columns); i += 2 {
			m[columns[i].(string)] = columns[i+1]
		}
		return m
	}
	return map[string]any{
		"op": "write", "mode": "replace", "ns": "shop", "set_name": "orders",
		"key":    map[string]any{"type": "str", "particle": int64(3), "string": "k"},
		"digest": string(append([]byte{0x34, 0xF2, 3}, make([]byte, 17)...)), "partition_id": int64(0x234),
		"generation": int64(1<<32 - 1), "lut": int64(1795350896789), "expires": true, "expiry": int64(1795350896000),
		"source_id": int64(255), "bin_luts": true,
		"bins": map[string]any{
			"null":    bin("null", 0),
			"int":     bin("int", 1, "int", int64(1<<63-1), "lut", int64(1795350896000), "source_id", int64(7)),
			"uint":    bin("uint", 1, "string", "18446744073709551615"),
			"float":   bin("float", 2, "float", 1.5),
			"bool":    bin("bool", 17, "bool", false),
			"str":     bin("str", 3, "string", "é\x00世"),
			"latin":   bin("str", 3, "bytes", "\xe9"),
			"java":    bin("blob", 7, "bytes", "\x01\xff"),
			"hll":     bin("hll", 18, "bytes", "\x02"),
			"geojson": bin("geojson", 23, "json", `{"type": "Point"}`),
			"list":    bin("list", 20, "json", `[1,18446744073709551615,"a"]`, "order", "ordered"),
			"rich":    bin("list", 20, "json", `["/w==",null]`, "bytes", "\x92\xa2\x04\xff\xc0"),
			"ints":    bin("map", 19, "json", `{"1":"a"}`, "order", "key", "bytes", "\x82\xc7\x00\x01\xc0\x01\xa2\x03a"),
			"both":    bin("map", 19, "bytes", "\x82\x01\xc0\xa2\x031\xc0"),
		},
	}
}

// sample is a change like all, but with values that other libraries return alike.
func sample(t *testing.T) change.Change {
	t.Helper()
	c := all
	c.Key = text("k")
	c.Bins = []change.Bin{
		{Name: "null"},
		{Name: "int", Value: binOf(all, "int"), LUT: 1795350896000, SourceID: 7},
		{Name: "uint", Value: binOf(all, "uint")},
		{Name: "float", Value: change.DoubleValue(1.5)},
		{Name: "bool", Value: change.BoolValue(false)},
		{Name: "str", Value: binOf(all, "str")},
		{Name: "latin", Value: binOf(all, "latin")},
		{Name: "java", Value: change.BytesValue(change.KindJavaBlob, []byte{1, 255})},
		{Name: "hll", Value: binOf(all, "hll")},
		{Name: "geojson", Value: binOf(all, "geojson")},
		{Name: "list", Value: binOf(all, "list")},
		{Name: "rich", Value: collection(change.KindList, change.Unordered, change.BytesValue(change.KindBlob, []byte{255}), change.Value{})},
		{Name: "ints", Value: binOf(all, "ints")},
		{Name: "both", Value: collection(change.KindMap, change.Unordered, change.IntegerValue(1), change.Value{}, text("1"), change.Value{})},
	}
	return c
}

// Other libraries can read the files, with every codec, and see the columns of the schema.
func TestFile_otherLibraries(t *testing.T) {
	bare := map[string]any{
		"op": "delete", "ns": "n", "digest": strings.Repeat("\x00", 20), "partition_id": int64(0), "source_id": int64(0), "bin_luts": false,
	}
	readers := map[string]func(*testing.T, []byte) []map[string]any{"avro": readGoavro, "parquet": readFraugster, "avro zstandard": readHamba}
	eachFile(t, func(t *testing.T, f file, codec string) {
		changes := []change.Change{sample(t), {Op: change.Delete, Namespace: "n"}, sample(t)}
		read, ok := readers[f.name+" "+codec]
		if !ok {
			read = readers[f.name]
		}
		got := read(t, write(t, f, codec, rowsOf(t, changes)))
		for _, r := range got {
			if m, ok := r["bins"].(map[string]any); ok && len(m) == 0 {
				delete(r, "bins")
			}
		}
		want := []any{wanted(), bare, wanted()}
		if len(got) != len(want) {
			t.Fatalf("%d rows", len(got))
		}
		for i := range want {
			if diff := gocmp.Diff(want[i], any(got[i])); diff != "" {
				t.Errorf("row %d (-want +got):\n%s", i, diff)
			}
		}
	})
}

func readGoavro(t *testing.T, b []byte) (rows []map[string]any) {
	t.Helper()
	r, err := goavro.NewOCFReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(r.MetaData()["aerosink.schema.version"]); got != "1" {
		t.Errorf("schema version %q", got)
	}
	for r.Scan() {
		v, err := r.Read()
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, plain(v).(map[string]any))
	}
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return rows
}

// readHamba reads files with zstandard, which goavro cannot decompress.
func readHamba(t *testing.T, b []byte) (rows []map[string]any) {
	t.Helper()
	r, err := ocf.NewDecoder(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	for r.HasNext() {
		var v any
		if err := r.Decode(&v); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, plain(v).(map[string]any))
	}
	if err := r.Error(); err != nil {
		t.Fatal(err)
	}
	return rows
}

// zstandard is a decompressor for fraugster, which has none for zstd.
type zstandard struct{}

func (zstandard) CompressBlock([]byte) ([]byte, error) { return nil, errors.New("only for reading") }

func (zstandard) DecompressBlock(b []byte) ([]byte, error) {
	r, err := zstd.NewReader(nil)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return r.DecodeAll(b, nil)
}

func readFraugster(t *testing.T, b []byte) (rows []map[string]any) {
	t.Helper()
	goparquet.RegisterBlockCompressor(fraugster.CompressionCodec_ZSTD, zstandard{})
	r, err := goparquet.NewFileReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if got := r.MetaData()["aerosink.schema.version"]; got != "1" {
		t.Errorf("schema version %q", got)
	}
	for {
		v, err := r.NextRow()
		if errors.Is(err, io.EOF) {
			return rows
		}
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, plain(v).(map[string]any))
	}
}

// A single datum, as in a message, can be read with the schema.
func TestAppendAvro_goavro(t *testing.T) {
	codec, err := goavro.NewCodec(row.Schema)
	if err != nil {
		t.Fatal(err)
	}
	rows := rowsOf(t, []change.Change{sample(t)})
	datum := row.AppendAvro([]byte("x"), &rows[0])
	v, rest, err := codec.NativeFromBinary(datum[1:])
	if err != nil || len(rest) > 0 {
		t.Fatalf("%d bytes left, error %v", len(rest), err)
	}
	if diff := gocmp.Diff(wanted(), plain(v)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Avro and Parquet have the same columns, with equivalent types.
func TestSchema_parquetMatchesAvro(t *testing.T) {
	var avro any
	if err := json.Unmarshal([]byte(row.Schema), &avro); err != nil {
		t.Fatal(err)
	}
	want := strings.Join(avroColumns("", avro, false), "\n")
	b := write(t, files[1], "none", nil)
	f, err := parquet.OpenFile(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, path := range f.Schema().Columns() {
		leaf, ok := f.Schema().Lookup(path...)
		if !ok {
			t.Fatalf("no column %v", path)
		}
		name := strings.Replace(strings.Join(path, "."), ".key_value.", ".", 1)
		got = append(got, fmt.Sprintf("%s %s optional=%v", name, leaf.Node.Type(), leaf.Node.Optional()))
	}
	if diff := gocmp.Diff(want, strings.Join(got, "\n")); diff != "" {
		t.Errorf("(-avro +parquet):\n%s", diff)
	}
}

// avroColumns returns the leaves of an Avro schema, with the equivalent types of Parquet.
func avroColumns(path string, schema any, optional bool) []string {
	types := map[string]string{"string": "STRING", "bytes": "BYTE_ARRAY", "int": "INT(32,true)", "long": "INT(64,true)", "double": "DOUBLE", "boolean": "BOOLEAN"}
	switch s := schema.(type) {
	case string:
		return []string{fmt.Sprintf("%s %s optional=%v", path, types[s], optional)}
	case []any:
		return avroColumns(path, s[1], true)
	case map[string]any:
		switch s["type"] {
		case "record":
			var columns []string
			for _, f := range s["fields"].([]any) {
				field := f.(map[string]any)
				columns = append(columns, avroColumns(strings.TrimPrefix(path+"."+field["name"].(string), "."), field["type"], false)...)
			}
			return columns
		case "map":
			return append([]string{path + ".key STRING optional=false"}, avroColumns(path+".value", s["values"], false)...)
		case "fixed":
			return []string{fmt.Sprintf("%s FIXED_LEN_BYTE_ARRAY(20) optional=%v", path, optional)}
		case "long":
			return []string{fmt.Sprintf("%s TIMESTAMP(isAdjustedToUTC=true,unit=MILLIS) optional=%v", path, optional)}
		}
	}
	return nil
}
