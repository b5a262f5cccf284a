package formats_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hamba/avro/v2/ocf"
	"github.com/linkedin/goavro/v2"
	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/avro"
	"github.com/aerosink/aerosink/connector/format/formats"
)

// anything returns a schema for values in which lists and maps nest to the given depth.
func anything(depth int) string {
	collections := ""
	if depth > 0 {
		inner := anything(depth - 1)
		collections = `,{"type":"array","items":` + inner + `},{"type":"map","values":` + inner + `}`
	}
	return `["null","boolean","long","double","string","bytes"` + collections + `]`
}

// mapOfAnything is a schema for everything that Avro can express, except numbers above
// the largest long.
var mapOfAnything = `{"type":"map","values":` + anything(4) + `}`

func newAvro(t fataler, schema string) *avro.Format {
	f, err := avro.New(schema, "metadata", true)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return f
}

// reading returns a Parser for the data of f.
func reading(f *avro.Format) formats.Parser {
	return formats.Parser{MetadataKey: "metadata", Avro: f}
}

// recordOf returns the schema of a record whose fields are the bins, with the usual
// metadata.
func recordOf(fields string) string {
	return `{"type":"record","name":"R","fields":[{"name":"metadata","type":{"type":"map","values":["null","boolean","long","double","string","bytes"]}},` + fields + `]}`
}

// The type of the schema that a value is written as, and its bytes.
func TestAvroAppend_values(t *testing.T) {
	list := func(digits string) change.Value { return packed(t, change.KindList, digits) }
	mapping := func(digits string) change.Value { return packed(t, change.KindMap, digits) }
	text := func(s string) change.Value { return change.StringValue([]byte(s)) }
	const pair = `{"type":"record","name":"P","fields":[{"name":"a","type":"long"},{"name":"b","type":["null","string"]},{"name":"c","type":"int","default":-3}]}`
	for _, tt := range []struct {
		name   string
		schema string
		value  change.Value
		want   string // in hexadecimal digits
		err    string
	}{
		{"long", `"long"`, change.IntegerValue(math.MinInt64), "ffffffffffffffffff01", ""},
		{"int", `"int"`, change.IntegerValue(math.MinInt32), "ffffffff0f", ""},
		{"int that is too small", `"int"`, change.IntegerValue(math.MaxInt32 + 1), "", "its integer does not fit the schema's int"},
		{"int, else long", `["int","long"]`, change.IntegerValue(math.MaxInt32 + 1), "028080808010", ""},
		{"integer as a double", `"double"`, change.IntegerValue(2), "0000000000000040", ""},
		{"integer that is not exact as a double", `"double"`, change.IntegerValue(1<<53 + 1), "", "its integer does not fit the schema's double"},
		{"integer beside a double", `["double","long"]`, change.IntegerValue(2), "0204", ""},
		{"integer beside a double in a list", `{"type":"array","items":["double","long"]}`, list("9202cb4004000000000000"), "04020400000000000000044000", ""},
		{"integer with a double alone", `["null","double"]`, change.IntegerValue(2), "020000000000000040", ""},
		{"integer above the largest long", `{"type":"array","items":["double","long"]}`, list("91cfffffffffffffffff"), "", "its list does not fit the schema's array"},
		{"double", `"double"`, change.DoubleValue(math.Inf(-1)), "000000000000f0ff", ""},
		{"float", `"float"`, change.DoubleValue(1.5), "0000c03f", ""},
		{"double that is not exact as a float", `["float","double"]`, change.DoubleValue(0.1), "029a9999999999b93f", ""},
		{"double as a long", `"long"`, change.DoubleValue(2), "", "its double does not fit the schema's long"},
		{"bool", `"boolean"`, change.BoolValue(true), "01", ""},
		{"string", `"string"`, text("é"), "04c3a9", ""},
		{"string that is not UTF-8", `"string"`, text("a\xff"), "0861efbfbd", ""},
		{"string as bytes", `"bytes"`, text("a"), "", "its string does not fit the schema's bytes"},
		{"enum", `{"type":"enum","name":"E","symbols":["A","B"]}`, text("B"), "02", ""},
		{"string that is not a symbol", `[{"type":"enum","name":"E","symbols":["A","B"]},"string"]`, text("C"), "020243", ""},
		{"geojson", `["bytes","string"]`, change.GeoJSONValue([]byte("{}")), "02047b7d", ""},
		{"blob", `["string","bytes"]`, change.BytesValue(change.KindBlob, []byte{1}), "020201", ""},
		{"blob of Java", `"bytes"`, change.BytesValue(change.KindJavaBlob, []byte{1}), "0201", ""},
		{"hll", `"bytes"`, change.BytesValue(change.KindHLL, []byte{1}), "0201", ""},
		{"particle of an unknown type", `"bytes"`, change.BytesValue(200, []byte{1}), "0201", ""},
		{"fixed", `{"type":"fixed","name":"F","size":2}`, change.BytesValue(change.KindBlob, []byte{1, 2}), "0102", ""},
		{"blob of the wrong size", `{"type":"fixed","name":"F","size":2}`, change.BytesValue(change.KindBlob, []byte{1}), "", "its blob does not fit the schema's fixed"},
		{"blob as a string", `"string"`, change.BytesValue(change.KindBlob, []byte{1}), "", "its blob does not fit the schema's string"},
		{"deleted", `["null","long"]`, change.Value{}, "00", ""},
		{"deleted where there must be a value", `"long"`, change.Value{}, "", "its nil does not fit the schema's long"},
		{"list", `{"type":"array","items":"long"}`, list("920102"), "04020400", ""},
		{"empty list", `{"type":"array","items":"long"}`, list("90"), "00", ""},
		{"list with another value", `{"type":"array","items":"long"}`, list("9201c0"), "", "its list does not fit the schema's array"},
		{"list of the second branch", `[{"type":"array","items":"long"},"null",{"type":"map","values":"long"},{"type":"record","name":"L","fields":[]}]`, list("9101"), "00020200", ""},
		{"extension in a list", `{"type":"array","items":["null","bytes"]}`, list("92c0d4ff00"), "", "its list does not fit"},
		{"map", `{"type":"map","values":"long"}`, mapping("81a2036101"), "0202610200", ""},
		{"map with a number for a key", `{"type":"map","values":"long"}`, mapping("810501"), "0202350200", ""},
		{"map with 5 and the string 5", `{"type":"map","values":"long"}`, mapping("820501a2033502"), "", "its map does not fit"},
		{"map with a list for a key", `{"type":"map","values":"long"}`, mapping("819001"), "", "its map does not fit"},
		{"map whose key is not UTF-8", `{"type":"map","values":"long"}`, mapping("81a203ff01"), "", "its map does not fit"},
		{"map as a record", pair, mapping("82a20362a20378a2036101"), "0202027805", ""},
		{"map as a record, without what may be absent", pair, mapping("81a2036101"), "020005", ""},
		{"map without what a record must have", pair, mapping("81a20362c0"), "", "its map does not fit the schema's record"},
		{"map with more than a record has", pair, mapping("82a2036101a2037801"), "", "its map does not fit the schema's record"},
		{"map with a value that a record has not", pair, mapping("81a20361c3"), "", "its map does not fit the schema's record"},
		{"map with a key twice", pair, mapping("82a2036101a2036102"), "", "its map does not fit the schema's record"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newAvro(t, recordOf(`{"name":"b","type":`+tt.schema+`}`))
			c := bin(tt.value)
			got, err := f.Append([]byte("before"), &c)
			if tt.err != "" {
				wantPermanent(t, err, "write avro: bin b: "+tt.err)
				if string(got) != "before" {
					t.Errorf("%q", got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if digits := hex.EncodeToString(got); !strings.HasSuffix(digits, "00"+tt.want) { // the end of the metadata
				t.Errorf("%s does not end in %s", digits, tt.want)
			}
			if _, err := reading(f).Parse(format.MediaAvro, got[len("before"):]); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAvroAppend_metadata(t *testing.T) {
	order := newAvro(t, schema(t, "schema-record.avsc"))
	named := bin(change.Value{})
	named.Bins[0].Name = "metadata"
	required := newAvro(t, recordOf(`{"name":"b","type":"long"}`))
	for _, tt := range []struct {
		name string
		f    *avro.Format
		c    change.Change
		err  string
	}{
		{"everything known", order, change.Change{Namespace: "n", Set: "s", Key: change.IntegerValue(1), Generation: 7, LUT: 1735689600123, Expiry: 1893456000}, ""},
		{"nothing known", order, change.Change{Namespace: "n", Expiry: change.ExpiryUnknown}, ""},
		{"delete", order, change.Change{Op: change.Delete, Namespace: "n", Generation: 8, LUT: 1}, ""},
		{"durable delete", order, change.Change{Op: change.DurableDelete, Namespace: "n", Key: change.BytesValue(change.KindBlob, []byte{1})}, ""},
		{"delete as a map", newAvro(t, mapOfAnything), change.Change{Op: change.DurableDelete, Namespace: "n", Set: "s", LUT: 1}, ""},
		{"a bin without a field", order, bin(change.Value{}), "bin b: the schema has no field for it"},
		{"a bin like the metadata", order, named, "bin metadata: the schema has no field for it"},
		{"a bin like the metadata in a map", newAvro(t, mapOfAnything), named, "bin metadata: has the name of the metadata"},
		{"expiry of more than 31 bits", order, change.Change{Namespace: "n", Expiry: 1 << 31}, "metadata.exp: does not fit the schema"},
		{"delete where a bin must be", required, change.Change{Op: change.Delete, Namespace: "n"}, "field b: the change has no value for it"},
		{"write without a bin that must be", required, change.Change{Namespace: "n"}, "field b: the change has no value for it"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body, err := tt.f.Append(nil, &tt.c)
			wantPermanent(t, err, tt.err)
			if err == nil {
				wantChanges(t, tt.f, reading(tt.f), format.MediaAvro, body, tt.c)
				wantChanges(t, tt.f, reading(tt.f), "avro/binary", body, tt.c)
			}
		})
	}
	strict, err := avro.New(mapOfAnything, "metadata", false)
	if err != nil {
		t.Fatal(err)
	}
	numeric := bin(packed(t, change.KindMap, "810501"))
	_, err = strict.Append(nil, &numeric)
	wantPermanent(t, err, "bin b: its map does not fit")
}

func schema(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(changetest.Testdata(t, "payloads", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The digest is written as bytes if the schema allows, else in Base64.
func TestAvroAppend_digest(t *testing.T) {
	c := change.Change{Namespace: "n", Digest: change.Digest{0xe1, 0xc8}}
	for _, tt := range []struct{ digest, want string }{
		{`"bytes"`, "28e1c8"},
		{`{"type":"fixed","name":"D","size":20}`, "e1c8"},
		{`["string","bytes"]`, "0228e1c8"},
		{`"string"`, hex.EncodeToString([]byte("84cg"))}, // its length, and Base64
	} {
		f := newAvro(t, `{"type":"record","name":"R","fields":[{"name":"metadata","type":{"type":"record","name":"M","fields":[
			{"name":"msg","type":{"type":"enum","name":"Msg","symbols":["write","delete"]}},{"name":"namespace","type":"string"},{"name":"digest","type":`+tt.digest+`}]}}]}`)
		body, err := f.Append(nil, &c)
		if err != nil {
			t.Fatal(err)
		}
		if digits := hex.EncodeToString(body); !strings.HasPrefix(digits, "00026e"+tt.want) {
			t.Errorf("%s: %s", tt.digest, digits)
		}
		want := c
		want.Expiry = change.ExpiryUnknown
		wantChanges(t, f, reading(f), format.MediaAvro, body, want)
	}
}

// A field without a bin gets its default, of whatever type.
func TestAvroAppend_defaults(t *testing.T) {
	for _, tt := range []struct{ of, def, want, err string }{
		{`"long"`, `9223372036854775807`, "feffffffffffffffff01", ""},
		{`"int"`, `-1`, "01", ""},
		{`"double"`, `2`, "0000000000000040", ""},
		{`"float"`, `1.5`, "0000c03f", ""},
		{`"string"`, `"é"`, "04c3a9", ""},
		{`"bytes"`, `"\u00ff\u0000"`, "04ff00", ""},
		{`{"type":"fixed","name":"F","size":1}`, `"\u00ff"`, "ff", ""},
		{`"boolean"`, `true`, "01", ""},
		{`["null","long"]`, `null`, "00", ""},
		{`["long","null"]`, `5`, "000a", ""},
		{`["long","null"]`, ``, "02", ""},
		{`"null"`, ``, "", ""},
		{`{"type":"enum","name":"E","symbols":["A","B"]}`, `"B"`, "02", ""},
		{`{"type":"array","items":"long"}`, `[]`, "00", ""},
		{`{"type":"array","items":"long"}`, `[1,[]]`, "", "the default of field R.b: does not fit the type array"},
		{`{"type":"map","values":"string"}`, `{"a":"b"}`, "02026102620 0", ""},
		{`{"type":"record","name":"P","fields":[{"name":"x","type":"long","default":7}]}`, `{}`, "0e", ""},
		{`"long"`, `"secret"`, "", "the default of field R.b: does not fit the type long"},
		{`"long"`, `9223372036854775808`, "", "does not fit the type long"},
		{`"int"`, `2147483648`, "", "does not fit the type int"},
		{`"bytes"`, `"世"`, "", "does not fit the type bytes"},
		{`["null","R"]`, `{}`, "", "the default of field R.b: does not fit the type union"},
		{`{"type":"fixed","name":"F","size":9000000000000000000}`, `""`, "", "does not fit the type fixed"},
	} {
		if tt.def != "" {
			tt.def = `,"default":` + tt.def
		}
		f, err := avro.New(recordOf(`{"name":"b","type":`+tt.of+tt.def+`}`), "metadata", true)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%s%s: error %v, want an error with %q", tt.of, tt.def, err, tt.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s%s: %v", tt.of, tt.def, err)
			continue
		}
		body, err := f.Append(nil, &change.Change{Op: change.Delete, Namespace: "n"})
		if digits := hex.EncodeToString(body); err != nil || !strings.HasSuffix(digits, "00"+strings.ReplaceAll(tt.want, " ", "")) {
			t.Errorf("%s%s: %s, %v; want %s at the end", tt.of, tt.def, digits, err, tt.want)
		}
	}
}

// What a schema may have besides, or write in another way, without a difference to the
// data.
func TestAvroNew_unusualSchema(t *testing.T) {
	for _, tt := range []struct {
		name, of string
		value    change.Value
		want     string // in hexadecimal digits
	}{
		{"union as the type of an object", `{"type":["null","long"]}`, change.IntegerValue(1), "0202"},
		{"type as the type of an object", `{"type":{"type":"array","items":"long"}}`, packed(t, change.KindList, "9101"), "020200"},
		{"decimal without a precision", `{"type":"bytes","logicalType":"decimal"}`, change.BytesValue(change.KindBlob, []byte{1}), "0201"},
		{"date", `{"type":"int","logicalType":"date"}`, change.IntegerValue(1), "02"},
		{"enum with a default", `{"type":"enum","name":"E","symbols":["A","B"],"default":"A"}`, change.StringValue([]byte("B")), "02"},
		{"properties", `{"type":"fixed","name":"F","size":1,"aliases":["-"],"doc":5,"default":{"default":[]},"items":7,"x":{"type":"y"}}`, change.BytesValue(change.KindBlob, []byte{1}), "01"},
		{
			"names in namespaces", `{"type":"record","name":"a.S","fields":[
				{"name":"x","type":{"type":"fixed","name":"F","size":1}},
				{"name":"y","type":{"type":"record","name":"T","namespace":"b","fields":[
					{"name":"f","type":{"type":"fixed","name":"F","size":2}},{"name":"g","type":"F"},{"name":"h","type":"a.F"}]}},
				{"name":"z","type":"F"}]}`,
			packed(t, change.KindMap, "83"+"a20378"+"c40204aa"+"a20379"+"83"+"a20366"+"c403040101"+"a20367"+"c403040202"+"a20368"+"c40204bb"+"a2037a"+"c40204cc"), "aa" + "01010202bb" + "cc",
		},
		{
			"name without a namespace in one", `{"type":"record","name":"S","namespace":"a","fields":[
				{"name":"x","type":{"type":"fixed","name":"F","namespace":"","size":1}},{"name":"y","type":"F"},{"name":"z","type":".F"}]}`,
			packed(t, change.KindMap, "83"+"a20378"+"c40204aa"+"a20379"+"c40204bb"+"a2037a"+"c40204cc"), "aabbcc",
		},
		{
			"types with the names of kinds", `{"type":"record","name":"record","fields":[
				{"name":"x","type":{"type":"fixed","name":"union","size":1}},{"name":"y","type":"union"},{"name":"z","type":["null","record"]}]}`,
			packed(t, change.KindMap, "83"+"a20378"+"c40204aa"+"a20379"+"c40204bb"+"a2037a"+"82"+"a20378"+"c40204cc"+"a20379"+"c40204dd"), "aabb02ccdd00",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			schema := recordOf(`{"name":"b","type":` + tt.of + `}`)
			f := newAvro(t, schema)
			c := bin(tt.value)
			body, err := f.Append(nil, &c)
			if err != nil {
				t.Fatal(err)
			}
			if digits := hex.EncodeToString(body); !strings.HasSuffix(digits, "00"+tt.want) { // the end of the metadata
				t.Errorf("%s does not end in %s", digits, tt.want)
			}
			parsed, err := all.Parse(format.MediaAvro, container(schema, "null", 1, body))
			if err != nil || parsed[0].Err != nil || len(parsed[0].Change.Bins) != 1 {
				t.Errorf("%v, %v", parsed, err)
			}
		})
	}
}

func TestAvroNew_invalidSchema(t *testing.T) {
	for _, tt := range []struct{ name, schema, err string }{
		{"nothing", ``, "not JSON"},
		{"not JSON", `record`, "not JSON"},
		{"something after it", mapOfAnything + `{}`, "data after the JSON"},
		{"a string", `"string"`, "the schema is of type string: want a record or a map"},
		{"an array", `{"type":"array","items":"long"}`, "the schema is of type array: want a record or a map"},
		{"an unknown type", `{"type":"map","values":"text"}`, `unknown named type "text"`},
		{"a type used before it is defined", recordOf(`{"name":"a","type":"F"},{"name":"b","type":{"type":"fixed","name":"F","size":1}}`), `unknown type "F": it is not defined before it is used`},
		{"a type without its name", recordOf(`{"name":"b","type":{"type":"fixed","size":1}}`), `invalid fixed name ""`},
		{"a type defined twice", recordOf(`{"name":"b","type":{"type":"record","name":"R","fields":[]}}`), `duplicate named type "R"`},
		{"a type defined by its field", recordOf(`{"name":"b","type":"enum","symbols":["A"]}`), `unknown type "enum"`},
		{"a type with a long name", recordOf(`{"name":"b","type":{"type":"fixed","name":"` + strings.Repeat("F", 1025) + `","size":1}}`), "the name of a type has 1025 bytes, the limit is 1024"},
		{"a field twice", recordOf(`{"name":"b","type":"long"},{"name":"b","type":"long"}`), `duplicate record field name "b"`},
		{"a field without a type", recordOf(`{"name":"b"}`), "invalid record field"},
		{"fields that are an object", `{"type":"record","name":"R","fields":{}}`, `"fields" must be a JSON array`},
		{"a union twice the same", `{"type":"map","values":["null","null"]}`, `duplicate union type "null"`},
		{"a union in a union", `{"type":"map","values":["null",["long"]]}`, "unions cannot immediately contain other unions"},
		{"an order that there is not", recordOf(`{"name":"b","type":"long","order":"up"}`), `invalid field order "up"`},
		{"a negative size", recordOf(`{"name":"b","type":{"type":"fixed","name":"F","size":-1}}`), "invalid fixed size -1"},
		{"a schema that is null", `null`, "invalid schema"},
		{"a record without the metadata", `{"type":"record","name":"R","fields":[]}`, `record R has no field "metadata" for the metadata`},
		{"metadata that is a string", `{"type":"record","name":"R","fields":[{"name":"metadata","type":"string"}]}`, `the metadata "metadata" is of type string: want a record or a map`},
		{"map without a type for the metadata", `{"type":"map","values":["null","string"]}`, `the metadata "metadata" is of type union`},
		{
			"metadata with a field that nothing fills", `{"type":"map","values":["null",{"type":"record","name":"M","namespace":"a.b","fields":[{"name":"msg","type":"string"},{"name":"cause","type":"string"}]}]}`,
			"field a.b.M.cause is not metadata, and has neither a default nor null",
		},
		{"a recursive default", `{"type":"record","name":"R","fields":[{"name":"metadata","type":"R","default":{}}]}`, "the default of field R.metadata"},
		{"an empty union with a default", recordOf(`{"name":"b","type":[],"default":1}`), "the default of field R.b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := avro.New(tt.schema, "metadata", true)
			if err == nil || !strings.Contains(err.Error(), "avro schema: ") || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("error %v, want an error with %q", err, tt.err)
			}
		})
	}
}

// inAvro returns what the format preserves of c if the schema is a map.
func inAvro(t *rapid.T, c change.Change) change.Change {
	c = withoutWire(c)
	for i := range c.Bins {
		v := &c.Bins[i].Value
		switch kind := v.Kind(); {
		case kind == change.KindGeoJSON:
			*v = change.StringValue(v.Bytes())
		case kind == change.KindHLL:
			*v = change.BytesValue(change.KindBlob, v.Bytes())
		case kind.IsCollection():
			*v = repacked(t, *v, func(change.Value, int, change.Order) change.Order { return change.Unordered })
		}
	}
	return c
}

func TestAvro_roundTrip(t *testing.T) {
	f := newAvro(t, mapOfAnything)
	rapid.Check(t, func(t *rapid.T) {
		var want []change.Change
		for range rapid.IntRange(1, 4).Draw(t, "changes") {
			want = append(want, inAvro(t, changetest.Arbitrary{Text: true}.Change(t)))
		}
		body, mediaType := several(t, f, want...)
		p := reading(f)
		if len(want) > 1 && rapid.Bool().Draw(t, "by the file's own schema") {
			p.Avro = nil
		}
		wantChanges(t, f, p, mediaType, body, want...)
	})
}

// Whatever XDR can carry is written and read back, or is a permanent error.
func TestAvroAppend_permanentErrors(t *testing.T) {
	f := newAvro(t, mapOfAnything)
	written := 0
	rapid.Check(t, func(t *rapid.T) {
		c := changetest.Arbitrary{}.Change(t)
		body, err := f.Append(nil, &c)
		if err != nil {
			if !change.IsPermanent(err) {
				t.Fatalf("%v is not permanent", err)
			}
			return
		}
		written++
		parsed, err := reading(f).Parse(format.MediaAvro, body)
		if err != nil || parsed[0].Err != nil {
			t.Fatalf("%v, %v", parsed, err)
		}
	})
	if written == 0 {
		t.Error("nothing could be written")
	}
}

// Other libraries read what we write, with all its types.
func TestAvroAppend_readByOthers(t *testing.T) {
	c := change.Change{
		Namespace: "n", Key: change.StringValue([]byte("k")), Generation: 7, LUT: 1735689600123, Expiry: change.ExpiryUnknown,
		Bins: []change.Bin{
			{Name: "i", Value: change.IntegerValue(math.MinInt64)}, {Name: "d", Value: change.DoubleValue(0.5)}, {Name: "gone", Value: change.Value{}},
			{Name: "l", Value: packed(t, change.KindList, "93c3a304dead81a20361cd012c")},
		},
	}
	body, _ := several(t, newAvro(t, mapOfAnything), c, change.Change{Op: change.Delete, Namespace: "n"})
	of := func(branch string, value any) any { return map[string]any{branch: value} } // a value of a union
	digest := of("bytes", make([]byte, 20))
	text := func(s string) any { return of("string", s) }
	long := func(i int64) any { return of("long", i) }
	want := []any{
		map[string]any{
			"metadata": of("map", map[string]any{
				"msg": text("write"), "namespace": text("n"), "userKey": text("k"), "digest": digest, "gen": long(7), "lut": long(1735689600123),
			}),
			"i": long(math.MinInt64), "d": of("double", 0.5), "gone": nil,
			"l": of("array", []any{of("boolean", true), of("bytes", []byte{0xde, 0xad}), of("map", map[string]any{"a": long(300)})}),
		},
		map[string]any{"metadata": of("map", map[string]any{
			"msg": text("delete"), "namespace": text("n"), "digest": digest, "durable": of("boolean", false),
		})},
	}
	for name, read := range map[string]func(*testing.T, []byte) []any{"goavro": readGoavro, "hamba": readHamba} {
		if diff := cmp.Diff(want, read(t, body)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func readGoavro(t *testing.T, file []byte) (got []any) {
	t.Helper()
	r, err := goavro.NewOCFReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	for r.Scan() {
		datum, err := r.Read()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, datum)
	}
	if r.Err() != nil {
		t.Fatal(r.Err())
	}
	return got
}

func readHamba(t *testing.T, file []byte) (got []any) {
	t.Helper()
	r, err := ocf.NewDecoder(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	for r.HasNext() {
		var datum any
		if err := r.Decode(&datum); err != nil {
			t.Fatal(err)
		}
		got = append(got, datum)
	}
	if r.Error() != nil {
		t.Fatal(r.Error())
	}
	return got
}

func FuzzAvroSchema(f *testing.F) {
	f.Add(mapOfAnything)
	f.Add(schema(f, "schema-record.avsc"))
	f.Add(`{"type":"record","name":"R","fields":[{"name":"metadata","type":"R","default":{}}]}`)
	f.Add(recordOf(`{"name":"b","type":{"type":"fixed","name":"F","size":99999999999},"default":"\u00ff"}`))
	f.Fuzz(func(t *testing.T, text string) {
		a, err := avro.New(text, "metadata", true)
		if err != nil {
			return
		}
		c := change.Change{Namespace: "n", Bins: []change.Bin{{Name: "b", Value: change.IntegerValue(1)}}}
		body, err := a.Append(nil, &c)
		if err != nil {
			return
		}
		if _, err := reading(a).Parse(format.MediaAvro, body); err != nil {
			t.Fatalf("%s: wrote what cannot be read: %v", fmt.Sprintf("%x", body), err)
		}
	})
}
