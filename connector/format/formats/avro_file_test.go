package formats_test

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"runtime"
	"strings"
	"testing"

	"github.com/hamba/avro/v2/ocf"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/linkedin/goavro/v2"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/avro"
	"github.com/aerosink/aerosink/connector/format/formats"
)

const syncMarker = "0123456789abcdef"

// container returns a file of one block.
func container(schema, codec string, count int64, block []byte) []byte {
	b := binary.AppendVarint([]byte("Obj\x01"), 2)
	for _, text := range []string{"avro.codec", codec, "avro.schema", schema} {
		b = append(binary.AppendVarint(b, int64(len(text))), text...)
	}
	b = append(append(b, 0), syncMarker...)
	b = binary.AppendVarint(b, count)
	b = append(binary.AppendVarint(b, int64(len(block))), block...)
	return append(b, syncMarker...)
}

func deflate(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// snap returns a block of the codec snappy.
func snap(b []byte) []byte {
	return binary.BigEndian.AppendUint32(snappy.Encode(nil, b), crc32.ChecksumIEEE(b))
}

func zstandard(t testing.TB, b []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(b, nil)
}

// zstandardStream returns what is compressed before its length is known.
func zstandardStream(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := zstd.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// Files that goavro writes, in several blocks.
func TestAvroParse_filesByGoavro(t *testing.T) {
	for _, codec := range []string{"null", "deflate", "snappy"} {
		var file bytes.Buffer
		w, err := goavro.NewOCFWriter(goavro.OCFConfig{W: &file, CompressionName: codec, Schema: schema(t, "schema-record.avsc")})
		if err != nil {
			t.Fatal(err)
		}
		var want []change.Change
		for i := range 3 {
			metadata := map[string]any{
				"msg": "write", "namespace": "n", "set": nil, "userKey": goavro.Union("long", i), "digest": make([]byte, 20),
				"gen": goavro.Union("int", 1), "exp": nil, "lut": goavro.Union("long", int64(1)<<40), "durable": nil,
			}
			items := goavro.Union("array", []any{"a", "b"})
			for range 2 {
				err := w.Append([]any{map[string]any{"metadata": metadata, "status": nil, "total": goavro.Union("double", 0.5), "items": items, "count": goavro.Union("long", int64(-1)<<63)}})
				if err != nil {
					t.Fatal(err)
				}
				want = append(want, change.Change{
					Namespace: "n", Key: change.IntegerValue(int64(i)), Generation: 1, LUT: 1 << 40, Expiry: change.ExpiryUnknown,
					Bins: []change.Bin{
						{Name: "total", Value: change.DoubleValue(0.5)}, {Name: "items", Value: packed(t, change.KindList, "92a20361a20362")},
						{Name: "count", Value: change.IntegerValue(-1 << 63)},
					},
				})
			}
		}
		wantChanges(t, (*avro.Format)(nil), formats.Parser{MetadataKey: "metadata"}, format.MediaAvro, file.Bytes(), want...)
	}
}

// Files that hamba/avro writes.
func TestAvroParse_filesByHamba(t *testing.T) {
	for _, codec := range []ocf.CodecName{ocf.Null, ocf.Deflate, ocf.Snappy, ocf.ZStandard} {
		var file bytes.Buffer
		w, err := ocf.NewEncoder(schema(t, "schema-record.avsc"), &file, ocf.WithCodec(codec), ocf.WithBlockLength(2))
		if err != nil {
			t.Fatal(err)
		}
		var want []change.Change
		for i := range 3 {
			metadata := map[string]any{
				"msg": "write", "namespace": "n", "set": nil, "userKey": int64(i), "digest": make([]byte, 20),
				"gen": 1, "exp": nil, "lut": int64(1) << 40, "durable": nil,
			}
			if err := w.Encode(map[string]any{"metadata": metadata, "status": nil, "total": 0.5, "items": map[string]any{"array": []any{"a", "b"}}, "count": int64(-1) << 63}); err != nil {
				t.Fatal(err)
			}
			want = append(want, change.Change{
				Namespace: "n", Key: change.IntegerValue(int64(i)), Generation: 1, LUT: 1 << 40, Expiry: change.ExpiryUnknown,
				Bins: []change.Bin{
					{Name: "total", Value: change.DoubleValue(0.5)}, {Name: "items", Value: packed(t, change.KindList, "92a20361a20362")},
					{Name: "count", Value: change.IntegerValue(-1 << 63)},
				},
			})
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		wantChanges(t, (*avro.Format)(nil), formats.Parser{MetadataKey: "metadata"}, format.MediaAvro, file.Bytes(), want...)
	}
}

// A change that cannot be decoded does not affect the next.
func TestAvroParse_invalidChange(t *testing.T) {
	f := newAvro(t, mapOfAnything)
	text := func(s string) string { return "08" + fmt.Sprintf("%02x", 2*len(s)) + hex.EncodeToString([]byte(s)) }
	entry := func(name, value string) string { return text(name)[2:] + value }
	digest := entry("digest", "0a28"+strings.Repeat("00", 20))
	message, namespace := entry("msg", text("write")), entry("namespace", text("n"))
	metadata := func(entries ...string) string {
		return entry("metadata", "0e"+fmt.Sprintf("%02x", 2*len(entries))+strings.Join(entries, "")+"00")
	}
	for _, tt := range []struct{ name, entry, err string }{
		{"as it should be", metadata(message, namespace, digest), ""},
		{"of a newer sender", metadata(message, namespace, digest, entry("cause", text("x"))), ""},
		{"digest in Base64", metadata(message, namespace, entry("digest", text(strings.Repeat("A", 27)+"="))), ""},
		{"no metadata", entry("b", "00"), `: missing metadata "metadata"`},
		{"metadata twice", metadata(message, namespace, digest) + "02" + metadata(message, namespace, digest), `: duplicate "metadata"`},
		{"a namespace twice", metadata(message, namespace, digest, namespace), `: duplicate "namespace"`},
		{"metadata that is null", entry("metadata", "00"), "the namespace is not a string, or is empty"},
		{"metadata that is a list", entry("metadata", "0c020000"), "the namespace is not a string, or is empty"},
		{"no namespace", metadata(message, digest), "the namespace is not a string, or is empty"},
		{"an empty namespace", metadata(message, digest, entry("namespace", text(""))), "the namespace is not a string, or is empty"},
		{"a set that is a number", metadata(message, namespace, digest, entry("set", "0402")), "the set is not a string"},
		{"a user key that is a bool", metadata(message, namespace, digest, entry("userKey", "0201")), "the user key is neither string, number nor bytes"},
		{"no digest", metadata(message, namespace), "the digest is neither 20 bytes nor 20 bytes in Base64"},
		{"a digest of one byte", metadata(message, namespace, entry("digest", "0a0200")), "the digest is neither"},
		{"a digest that is not Base64", metadata(message, namespace, entry("digest", text(strings.Repeat("?", 28)))), "the digest is neither"},
		{"a negative generation", metadata(message, namespace, digest, entry("gen", "0401")), `"gen" is not a generation`},
		{"a generation that is a string", metadata(message, namespace, digest, entry("gen", text("1"))), `"gen" is not an integer`},
		{"lut that is a double", metadata(message, namespace, digest, entry("lut", "060000000000000000")), `"lut" is not a`},
		{"durable that is a number", metadata(entry("msg", text("delete")), namespace, digest, entry("durable", "0402")), `"durable" is not a boolean`},
		{"no msg", metadata(namespace, digest), `"msg" is neither "write" nor "delete"`},
		{"another msg", metadata(entry("msg", text("secret")), namespace, digest), `"msg" is neither "write" nor "delete"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			datum, err := hex.DecodeString("02" + tt.entry + "00")
			if err != nil {
				t.Fatal(err)
			}
			good, err := f.Append(nil, &change.Change{Op: change.Delete, Namespace: "n"})
			if err != nil {
				t.Fatal(err)
			}
			parsed, err := formats.Parser{MetadataKey: "metadata"}.Parse(format.MediaAvro, container(mapOfAnything, "null", 2, append(bytes.Clone(datum), good...)))
			if err != nil || len(parsed) != 2 || parsed[1].Err != nil || !bytes.Equal(parsed[0].Data, datum) {
				t.Fatalf("%v, %v", parsed, err)
			}
			wantPermanent(t, parsed[0].Err, tt.err)
		})
	}
}

// Bytes that are not data of the schema. They follow the metadata, in the field b.
func TestAvroParse_invalidData(t *testing.T) {
	const empty = `{"type":"record","name":"E","fields":[]}`
	nest := empty // 2^40 empty records
	for i := range 40 {
		nest = fmt.Sprintf(`{"type":"record","name":"N%d","fields":[{"name":"a","type":%s},{"name":"b","type":"%s"}]}`, i, nest, map[bool]string{true: "E", false: fmt.Sprintf("N%d", i-1)}[i == 0])
	}
	deep := `{"type":"record","name":"L","fields":[{"name":"next","type":["null","L"]}]}`
	for _, tt := range []struct{ name, of, digits, err string }{
		{"nothing", `"long"`, "", "unexpected end of data"},
		{"an integer cut", `"long"`, "80", "unexpected end of data"},
		{"an integer of 10 bytes and more", `"long"`, strings.Repeat("80", 10) + "01", "an integer of more than 64 bits"},
		{"an int of 33 bits", `"int"`, "8080808010", "an int of more than 32 bits"},
		{"a boolean of 2", `"boolean"`, "02", "a boolean that is neither 0 nor 1"},
		{"a double cut", `"double"`, "00000000000000", "8 bytes announced, 7 left"},
		{"a float cut", `"float"`, "000000", "4 bytes announced, 3 left"},
		{"a string cut", `"string"`, "0461", "2 bytes announced, 1 left"},
		{"a string of negative length", `"string"`, "01", "-1 bytes announced"},
		{"a string longer than memory", `"string"`, "feffffffffffffffff01", "9223372036854775807 bytes announced, 0 left"},
		{"a fixed larger than memory", `{"type":"fixed","name":"F","size":9000000000000000000}`, "00", "9000000000000000000 bytes announced, 1 left"},
		{"a symbol too many", `{"type":"enum","name":"E","symbols":["A"]}`, "02", "symbol 1 of an enum of 1"},
		{"a negative symbol", `{"type":"enum","name":"E","symbols":["A"]}`, "01", "symbol -1 of an enum of 1"},
		{"a branch too many", `["null","long"]`, "04", "branch 2 of a union of 2"},
		{"a negative branch", `["null","long"]`, "01", "branch -1 of a union of 2"},
		{"a union of nothing", `[]`, "00", "branch 0 of a union of 0"},
		{"a map without limit", `{"type":"map","values":"null"}`, "feffffffffffffffff01" + strings.Repeat("00", 5000), "unexpected end of data"},
		{"an array that does not end", `{"type":"array","items":"long"}`, "020204", "unexpected end of data"},
		{"a map that does not end", `{"type":"map","values":"long"}`, "02026104", "unexpected end of data"},
		{"bytes too many", `"long"`, "0000", "1 byte after the"},

		{"a block with its size", `{"type":"array","items":"long"}`, "0304020400", ""},
		{"a map's block with its size", `{"type":"map","values":"long"}`, "010602610200", ""},
		{"a block of another size", `{"type":"array","items":"long"}`, "0302020400", "a block of 2 bytes that says it has 1"},
		{"a block of a size beyond the end", `{"type":"array","items":"long"}`, "030c020400", "a block of -2 elements in 6 bytes, 3 are left"},
		{"a block of negative size", `{"type":"array","items":"long"}`, "0301020400", "a block of -2 elements in -1 bytes"},
		{"a block of the smallest count", `{"type":"array","items":"null"}`, "ffffffffffffffffff010000", "a block of -9223372036854775808 elements"},

		{"a bomb of five bytes", `{"type":"array","items":"null"}`, "feffffff0f", "more values than any change has"},
		{"a larger bomb", `{"type":"array","items":"null"}`, "feffffffffffffffff01", "more values than any change has"},
		{"a bomb with a size", `{"type":"array","items":"null"}`, "ffffffff0f00", "more values than any change has"},
		{"a bomb of empty records", `{"type":"array","items":` + empty + `}`, "feffffff0f", "more values than any change has"},
		{"a bomb of empty fixed", `{"type":"array","items":{"type":"fixed","name":"F","size":0}}`, "feffffff0f", "more values than any change has"},
		{"a bomb of records in records", nest, "", "more values than any change has"},
		{"a record in itself", `{"type":"record","name":"L","fields":[{"name":"next","type":"L"}]}`, "", "nest deeper than 256"},
		{"as deep as can be", deep, strings.Repeat("02", 255) + "00", ""},
		{"deeper than can be", deep, strings.Repeat("02", 256) + "00", "nest deeper than 256"},
		{"a list deeper than can be", `{"type":"record","name":"L","fields":[{"name":"l","type":{"type":"array","items":"L"}}]}`, strings.Repeat("02", 200) + strings.Repeat("00", 200), "nest deeper than 256"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			record := `{"type":"record","name":"R","fields":[{"name":"metadata","type":{"type":"record","name":"M","fields":[
				{"name":"msg","type":"string"},{"name":"namespace","type":"string"},{"name":"digest","type":"bytes"}]}},{"name":"b","type":` + tt.of + `}]}`
			datum, err := hex.DecodeString("0a7772697465" + "026e" + "28" + strings.Repeat("00", 20) + tt.digits)
			if err != nil {
				t.Fatal(err)
			}
			for codec, block := range map[string][]byte{"null": datum, "deflate": deflate(t, datum), "snappy": snap(datum), "zstandard": zstandardStream(t, datum)} {
				body := container(record, codec, 1, block)
				parsed, err := all.Parse(format.MediaAvro, body)
				wantPermanent(t, err, tt.err)
				if tt.err == "" && (len(parsed) != 1 || parsed[0].Err != nil) {
					t.Errorf("%s: %v", codec, parsed)
				}
				if err != nil && strings.Contains(err.Error(), "in what the block here inflates to, byte ") == (codec == "null") {
					t.Errorf("%s: the error has no offset: %v", codec, err)
				}
			}
			f, err := avro.New(record, "metadata", true)
			if err != nil {
				t.Fatal(err)
			}
			_, err = reading(f).Parse(format.MediaAvro, datum)
			wantPermanent(t, err, tt.err)
		})
	}
}

func TestAvroParse_invalidFile(t *testing.T) {
	f := newAvro(t, mapOfAnything)
	datum, err := f.Append(nil, &change.Change{Op: change.Delete, Namespace: "n"})
	if err != nil {
		t.Fatal(err)
	}
	good := container(mapOfAnything, "null", 1, datum)
	spoiled := bytes.Clone(good)
	spoiled[len(spoiled)-1]++
	for _, tt := range []struct {
		name string
		body []byte
		err  string
	}{
		{"as it should be", good, ""},
		{"without a codec", bytes.Replace(good, []byte("avro.codec\x08null"), []byte("avro.kodek\x08zstd"), 1), ""},
		{"a bare datum", datum, "byte 0: not an object container file, and a bare datum needs an Avro schema"},
		{"bzip2", container(mapOfAnything, "bzip2", 1, datum), "unsupported codec: want null, deflate, snappy or zstandard"},
		{"wrong sync marker", spoiled, fmt.Sprintf("byte %d: a block does not end in the file's sync marker", len(good))},
		{"a change too few", container(mapOfAnything, "null", 2, datum), "unexpected end of data"},
		{"a change too many", container(mapOfAnything, "null", 0, datum), "bytes after the block's last change"},
		{"a negative number of changes", container(mapOfAnything, "null", -1, datum), "a block of -1 changes"},
		{"a huge number of changes", container(mapOfAnything, "null", 1<<62, datum), "more changes than a body of this size can hold"},
		{"changes of no bytes", container(`{"type":"record","name":"E","fields":[]}`, "null", 1_000_000, nil), "more changes than a body of this size can hold"},
		{"bytes after the last block", append(bytes.Clone(good), 2), "unexpected end of data"},
		{"not deflate", container(mapOfAnything, "deflate", 1, datum), "the block that begins here: inflate: flate: corrupt input"},
		{"deflate cut", container(mapOfAnything, "deflate", 1, deflate(t, datum)[:20]), "the block that begins here: inflate: unexpected EOF"},
		{"not snappy", container(mapOfAnything, "snappy", 1, datum), "the block that begins here: snappy: "},
		{"snappy without its checksum", container(mapOfAnything, "snappy", 1, snap(datum)[:3]), "the block that begins here: unexpected EOF"},
		{"snappy with a wrong checksum", container(mapOfAnything, "snappy", 1, append(snap(datum)[:len(snap(datum))-1], 0xa5)), "snappy: checksum mismatch"},
		{"not zstandard", container(mapOfAnything, "zstandard", 1, datum), "the block that begins here: zstandard: "},
		{"zstandard cut", container(mapOfAnything, "zstandard", 1, zstandard(t, datum)[:20]), "the block that begins here: zstandard: "},
		{"zstandard of unknown size, cut", container(mapOfAnything, "zstandard", 1, zstandardStream(t, datum)[:20]), "the block that begins here: zstandard: "},
		{"zstandard with a wrong checksum", container(mapOfAnything, "zstandard", 1, append(zstandard(t, datum)[:len(zstandard(t, datum))-1], 0xa5)), "the block that begins here: zstandard: "},
		{"no schema", container("", "null", 1, datum), "the file's schema is not valid"},
		{"not JSON", container("secret", "null", 1, datum), "the file's schema is not valid"},
		{"invalid schema", container(`{"type":"secret"}`, "null", 1, datum), "the file's schema is not valid"},
		{"a schema of something else", container(`"long"`, "null", 1, datum), "the file's schema is neither a record nor a map"},
		{"a schema too large", container(mapOfAnything+strings.Repeat(" ", 256<<10), "null", 1, datum), "the limit is 262144"},
		{"schema that nests 9000 deep", container(strings.Repeat(`{"type":"array","items":`, 9000)+`"long"`+strings.Repeat("}", 9000), "null", 1, datum), "the file's schema is"},
		{"defaults that the library panics on", container(`{"type":"record","name":"R","fields":[{"name":"a","type":"R","default":{}},{"name":"b","type":[],"default":1}]}`, "null", 1, datum), "nest deeper than 256"},
		{"a header without end", []byte("Obj\x01\xfe\xff\xff\xff\x0f"), "unexpected end of data"},
		{"a header with a huge value", []byte("Obj\x01\x02\x02a\xfe\xff\xff\xff\x0f"), "bytes announced"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			parsed, err := all.Parse(format.MediaAvro, tt.body)
			wantPermanent(t, err, tt.err)
			if tt.err == "" && (len(parsed) != 1 || parsed[0].Err != nil) {
				t.Errorf("%v", parsed)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error quotes the data: %v", err)
			}
		})
	}
	block := len(binary.AppendVarint(binary.AppendVarint(nil, 1), int64(len(datum)))) + len(datum) + len(syncMarker)
	for end := 1; end < len(good); end++ {
		if end == len(good)-block {
			continue // a file without a block is whole
		}
		if _, err := all.Parse(format.MediaAvro, good[:end]); !change.IsPermanent(err) {
			t.Errorf("cut at byte %d: %v", end, err)
		}
	}
	for end := 1; end < len(datum); end++ {
		if _, err := reading(f).Parse(format.MediaAvro, datum[:end]); !change.IsPermanent(err) {
			t.Errorf("datum cut at byte %d: %v", end, err)
		}
	}
}

// The memory is bounded, whatever a file announces or inflates to.
func TestAvroParse_bombs(t *testing.T) {
	nulls := recordOf(`{"name":"b","type":{"type":"array","items":"null"}}`)
	bomb := binary.AppendVarint([]byte{0}, 1<<40)
	zeros := deflate(t, make([]byte, 65<<20))
	types := `{"type":"record","name":"` + strings.Repeat("n.", 60_000) + `R","fields":[`
	for i := range 2000 {
		types += fmt.Sprintf(`{"name":"f%d","type":{"type":"fixed","name":"F%d","size":1}},`, i, i)
	}
	for _, tt := range []struct {
		name string
		body []byte
		most uint64
		err  string
	}{
		{"nulls", container(nulls, "null", 1, bomb), 4 << 20, "more values than any change has"},
		{"zeros", container(nulls, "deflate", 1, zeros), 512 << 20, "the file inflates to more than 67108864 bytes"},
		{"names in a long namespace", container(strings.TrimSuffix(types, ",")+"]}", "null", 0, nil), 16 << 20, "the file's schema is not valid"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := all.Parse(format.MediaAvro, tt.body)
			runtime.ReadMemStats(&after)
			wantPermanent(t, err, tt.err)
			if used := after.TotalAlloc - before.TotalAlloc; used > tt.most {
				t.Errorf("%d bytes allocated", used)
			}
		})
	}
}

// A byte of the data may select a name or symbol of any length. Their total is bounded,
// and so is the number of elements that take no bytes.
func TestAvroParse_longNamesInSchema(t *testing.T) {
	long := strings.Repeat("n", 200<<10)
	const limit, count = 1 << 20, 1000
	array := binary.AppendVarint(nil, count)
	symbols := append(append(array, make([]byte, count)...), 0)
	for _, tt := range []struct {
		name, of string
		data     []byte
		err      string
	}{
		{"symbols", `{"type":"array","items":{"type":"enum","name":"E","symbols":["` + long + `"]}}`, symbols, "too large: names of fields and symbols"},
		{"names", `{"type":"array","items":{"type":"record","name":"N","fields":[{"name":"` + long + `","type":"int"}]}}`, symbols, "too large: names of fields and symbols"},
		{"within", `{"type":"array","items":{"type":"enum","name":"E","symbols":["` + long[:limit/count-10] + `"]}}`, symbols, ""},
		{"a thousand nulls", `{"type":"array","items":"null"}`, append(array, 0), ""},
		{"nulls", `["bytes",{"type":"array","items":"null"}]`, append(binary.AppendVarint([]byte{2}, 4*limit), make([]byte, 2*limit)...), "more values than any change has"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			schema := `{"type":"record","name":"R","fields":[{"name":"metadata","type":{"type":"map","values":["string","bytes"]}},{"name":"b","type":` + tt.of + `}]}`
			datum := append([]byte("\x06\x06msg\x00\x0awrite\x12namespace\x00\x02n\x0cdigest\x02\x28"+strings.Repeat("\x00", 20)+"\x00"), tt.data...)
			body := container(schema, "null", 1, datum)
			p := all
			p.Limits.Inflated = limit
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			parsed, err := p.Parse(format.MediaAvro, body)
			runtime.ReadMemStats(&after)
			wantPermanent(t, err, tt.err)
			if tt.err == "" && (len(parsed) != 1 || parsed[0].Err != nil) {
				t.Errorf("%v", parsed)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 20*limit {
				t.Errorf("%d bytes allocated for a body of %d", used, len(body))
			}
		})
	}
}

func FuzzAvro(f *testing.F) {
	a := newAvro(f, mapOfAnything)
	c := change.Change{
		Namespace: "n", Set: "s", Key: change.IntegerValue(1), LUT: 1,
		Bins: []change.Bin{{Name: "d", Value: change.DoubleValue(0.5)}, {Name: "s", Value: change.StringValue([]byte("é"))}},
	}
	bare, _ := several(f, a, c)
	file, _ := several(f, a, c, c)
	f.Add(bare)
	f.Add(file)
	f.Add(container(mapOfAnything, "deflate", 1, deflate(f, bare)))
	f.Add(container(mapOfAnything, "snappy", 1, snap(bare)))
	f.Add(container(mapOfAnything, "zstandard", 1, zstandard(f, bare)))
	for _, p := range payloads(f) {
		if strings.HasPrefix(p.Format, "avro") {
			f.Add(p.body(f))
			f.Add(container(schema(f, p.Expect["schema"].(string)), "null", 1, p.body(f)))
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, p := range sound(t, reading(a), format.MediaAvro, body) {
			datum, err := a.Append(nil, &p.Change)
			if err != nil {
				continue // names that are not UTF-8, or another schema
			}
			again, err := formats.Parser{Avro: a}.Parse(format.MediaAvro, datum)
			if err != nil || again[0].Err != nil {
				t.Fatalf("wrote what cannot be read: %v, %v", again, err)
			}
			stable, err := a.Append(nil, &again[0].Change)
			if err != nil || !bytes.Equal(datum, stable) {
				t.Fatalf("wrote % x, then % x, %v: %s", datum, stable, err, changetest.Describe(&p.Change))
			}
		}
	})
}
