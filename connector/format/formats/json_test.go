package formats_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/format"
	jsonformat "github.com/aerosink/aerosink/connector/format/json"
)

// How each kind of value is written in both formats, and which values are errors.
func TestJSONAppend_values(t *testing.T) {
	list := func(digits string) change.Value { return packed(t, change.KindList, digits) }
	mapping := func(digits string) change.Value { return packed(t, change.KindMap, digits) }
	text := func(s string) change.Value { return change.StringValue([]byte(s)) }
	for _, tt := range []struct {
		name  string
		value change.Value
		want  string // the members of a bin of JSON after its name; flat JSON has the value
		err   string
	}{
		{"deleted", change.Value{}, `"type":"null","value":null`, ""},
		{"integer", change.IntegerValue(-7), `"type":"int","value":-7`, ""},
		{"smallest integer", change.IntegerValue(math.MinInt64), `"type":"int","value":-9223372036854775808`, ""},
		{"largest integer", change.IntegerValue(math.MaxInt64), `"type":"int","value":9223372036854775807`, ""},
		{"double", change.DoubleValue(0.1), `"type":"float","value":0.1`, ""},
		{"integral double", change.DoubleValue(2), `"type":"float","value":2.0`, ""},
		{"negative zero", change.DoubleValue(math.Copysign(0, -1)), `"type":"float","value":-0.0`, ""},
		{"large double", change.DoubleValue(1e300), `"type":"float","value":1e+300`, ""},
		{"small double", change.DoubleValue(5e-324), `"type":"float","value":5e-324`, ""},
		{"double beyond 2^53", change.DoubleValue(1 << 60), `"type":"float","value":1152921504606847000.0`, ""},
		{"not a number", change.DoubleValue(math.NaN()), `"type":"float","value":"NaN"`, ""},
		{"infinity", change.DoubleValue(math.Inf(1)), `"type":"float","value":"Infinity"`, ""},
		{"negative infinity", change.DoubleValue(math.Inf(-1)), `"type":"float","value":"-Infinity"`, ""},
		{"string", text("é世\"\\\n\r\t\x00\x1f\x7f</script>\u2028"), `"type":"str","value":"é世\"\\\n\r\t\u0000\u001f` + "\x7f</script>\u2028" + `"`, ""},
		{"string that is not UTF-8", text("a\xffb\xc3(\xed\xa0\x80c\xf0\x9f"), `"type":"str","value":"a�b�(���c��"`, ""},
		{"bool", change.BoolValue(true), `"type":"bool","value":true`, ""},
		{"blob", change.BytesValue(change.KindBlob, []byte{0, 255, 16}), `"type":"blob","value":"AP8Q"`, ""},
		{"blob of Python", change.BytesValue(change.KindPythonBlob, []byte{1}), `"type":"blob","value":"AQ=="`, ""},
		{"hll", change.BytesValue(change.KindHLL, []byte{0, 4, 0}), `"type":"hll","value":"AAQA"`, ""},
		{"particle of an unknown type", change.BytesValue(31, []byte{1, 2}), `"type":"blob","value":"AQI="`, ""},
		{"geojson", change.GeoJSONValue([]byte(`{"type":"Point","coordinates":[1,2]}`)), `"type":"geojson","value":{"type":"Point","coordinates":[1,2]}`, ""},
		{"geojson on lines", change.GeoJSONValue([]byte("{\n\t\"a\\n\":1\r\n}")), `"type":"geojson","value":{  "a\n":1  }`, ""},
		{"geojson that is not JSON", change.GeoJSONValue([]byte(`{"type":`)), "", "bin b: its GeoJSON is not JSON"},
		{"geojson that is not UTF-8", change.GeoJSONValue([]byte("{\"a\":\"\xff\"}")), "", "bin b: its GeoJSON is not JSON"},
		{"list", list("9301a20361c0"), `"type":"list","value":[1,"a",null],"ordered":false`, ""},
		{"ordered list", list("93c700010102"), `"type":"list","value":[1,2],"ordered":true`, ""},
		{"empty list", list("90"), `"type":"list","value":[],"ordered":false`, ""},
		{"unsigned in a list", list("91cfffffffffffffffff"), `"type":"list","value":[18446744073709551615],"ordered":false`, ""},
		{"blob and geojson in a list", list("92a304deada617" + hex.EncodeToString([]byte(`{"a":1}`))[:10]), "", "bin b: its GeoJSON is not JSON"},
		{"blob in a list", list("91a304dead"), `"type":"list","value":["3q0="],"ordered":false`, ""},
		{"map", mapping("82a2036101a2036202"), `"type":"map","value":{"a":1,"b":2}`, ""},
		{"key-ordered map", mapping("82c70001c0a2036101"), `"type":"map","value":{"a":1},"order":"key"`, ""},
		{"key-value-ordered map", mapping("82c70003c0a2036101"), `"type":"map","value":{"a":1},"order":"key-value"`, ""},
		{"map with integer and double keys", mapping("820501cb4000000000000000c2"), `"type":"map","value":{"5":1,"2.0":false}`, ""},
		{"map with an unsigned key", mapping("81cfffffffffffffffff90"), `"type":"map","value":{"18446744073709551615":[]}`, ""},
		{"map with NaN for a key", mapping("81cb7ff800000000000001"), `"type":"map","value":{"NaN":1}`, ""},
		{"map with a blob for a key", mapping("81a204ff01"), `"type":"map","value":{"/w==":1}`, ""},
		{"map with bools for keys", mapping("82c301c202"), `"type":"map","value":{"true":1,"false":2}`, ""},
		{"map with a blob of Java for a key", mapping("81a207ff01"), "", "bin b: a map key is of kind java-blob"},
		{"map with a list for a key", mapping("81910101"), "", "bin b: a map key is of kind list"},
		{"map with nil for a key", mapping("81c001"), "", "bin b: a map key is of kind nil"},
		{"map whose key is not UTF-8", mapping("81a203ff01"), "", "bin b: a map key is not UTF-8"},
		{"map with 5 and the string 5", mapping("830501a2036101a2033502"), "", "two map keys would become the same string"},
		{"map with 5 and another string", mapping("820591c0a2033602"), `"type":"map","value":{"5":[null],"6":2}`, ""},
		{"nested", list("9281a20361910191c2"), `"type":"list","value":[{"a":[1]},[false]],"ordered":false`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := bin(tt.value)
			for _, f := range []format.Format{typed, flat} {
				got, err := f.Append([]byte("before"), &c)
				if tt.err != "" {
					if err == nil || !strings.Contains(err.Error(), tt.err) || !change.IsPermanent(err) || string(got) != "before" {
						t.Errorf("%s: %q, error %v; want a permanent error with %q", f.Name(), got, err, tt.err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				want := tt.want
				if f.Name() == "flat-json" {
					_, want, _ = strings.Cut(tt.want, `"value"`)
					want, _, _ = strings.Cut(want, `,"order`)
					want = `"b"` + want
				}
				if !strings.Contains(string(got), want+"}") {
					t.Errorf("%s: %s does not hold %s", f.Name(), got, want)
				}
				if line := bytes.TrimPrefix(got, []byte("before")); !json.Valid(line) || bytes.IndexByte(line, '\n') != len(line)-1 {
					t.Errorf("%s: not one line of JSON: %s", f.Name(), line)
				}
			}
		})
	}
}

func TestJSONAppend_metadata(t *testing.T) {
	digest := change.Digest{0xe1, 0xc8, 0x20}
	key := change.IntegerValue(math.MinInt64)
	for _, tt := range []struct {
		name        string
		c           change.Change
		typed, flat string
	}{
		{
			"everything known",
			change.Change{Namespace: "shop", Set: "o", Digest: digest, Key: key, Generation: 7, LUT: 1735689600123, Expiry: 1893456000},
			`{"msg":"write","key":["shop","o","4cggAAAAAAAAAAAAAAAAAAAAAAA=",-9223372036854775808],"gen":7,"exp":1893456000,"lut":1735689600123,"bins":[]}`,
			`{"metadata":{"namespace":"shop","set":"o","userKey":-9223372036854775808,"digest":"4cggAAAAAAAAAAAAAAAAAAAAAAA=","msg":"write","gen":7,"lut":1735689600123,"exp":1893456000}}`,
		},
		{
			"nothing known",
			change.Change{Namespace: "shop", Digest: digest, Expiry: change.ExpiryUnknown},
			`{"msg":"write","key":["shop",null,"4cggAAAAAAAAAAAAAAAAAAAAAAA=",null],"gen":null,"exp":null,"lut":null,"bins":[]}`,
			`{"metadata":{"namespace":"shop","digest":"4cggAAAAAAAAAAAAAAAAAAAAAAA=","msg":"write"}}`,
		},
		{
			"delete",
			change.Change{Op: change.Delete, Namespace: "shop", Set: "o", Digest: digest, Generation: 8, LUT: 1},
			`{"msg":"delete","key":["shop","o","4cggAAAAAAAAAAAAAAAAAAAAAAA=",null],"gen":8,"lut":1,"durable":false}`,
			`{"metadata":{"namespace":"shop","set":"o","digest":"4cggAAAAAAAAAAAAAAAAAAAAAAA=","msg":"delete","gen":8,"lut":1,"durable":false}}`,
		},
		{
			"durable delete of which nothing is known",
			change.Change{Op: change.DurableDelete, Namespace: "shop", Digest: digest},
			`{"msg":"delete","key":["shop",null,"4cggAAAAAAAAAAAAAAAAAAAAAAA=",null],"durable":true}`,
			`{"metadata":{"namespace":"shop","digest":"4cggAAAAAAAAAAAAAAAAAAAAAAA=","msg":"delete","durable":true}}`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for f, want := range map[format.Format]string{typed: tt.typed, flat: tt.flat} {
				records, err := f.Append(nil, &tt.c)
				if err != nil {
					t.Fatal(err)
				}
				body, mediaType := f.Seal(records, 1)
				if diff := cmp.Diff(want, string(body)); diff != "" || mediaType != format.MediaJSON {
					t.Errorf("%s, %s (-want +got):\n%s", f.Name(), mediaType, diff)
				}
			}
		})
	}
}

func TestJSONAppend_errors(t *testing.T) {
	withNumber := bin(packed(t, change.KindMap, "810501"))
	metadata := bin(change.Value{})
	metadata.Bins[0].Name = "metadata"
	badName := bin(change.Value{})
	badName.Bins[0].Name = "\xff"
	for _, tt := range []struct {
		name string
		f    format.Format
		c    change.Change
		err  string
	}{
		{"numeric map key unless asked for", jsonformat.Format{}, withNumber, "set stringify-map-keys"},
		{"numeric map key unless asked for, flat", jsonformat.Flat{MetadataKey: "m"}, withNumber, "set stringify-map-keys"},
		{"bin named like the metadata", flat, metadata, "bin metadata: has the name of the metadata"},
		{"bin name that is not UTF-8", typed, badName, "bin name: is not UTF-8"},
		{"bin name that is not UTF-8, flat", flat, badName, "bin name: is not UTF-8"},
		{"set that is not UTF-8", typed, change.Change{Set: "\xff"}, "set: is not UTF-8"},
		{"namespace that is not UTF-8", flat, change.Change{Namespace: "\xff"}, "namespace: is not UTF-8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.f.Append(nil, &tt.c)
			if err == nil || !strings.Contains(err.Error(), tt.err) || !change.IsPermanent(err) {
				t.Errorf("error %v, want a permanent error with %q", err, tt.err)
			}
		})
	}
	if _, err := typed.Append(nil, &metadata); err != nil {
		t.Errorf("JSON has no metadata key: %v", err)
	}
}

func TestJSONSeal_severalChanges(t *testing.T) {
	one, two := bin(change.IntegerValue(1)), bin(change.IntegerValue(2))
	for _, f := range []format.Format{typed, flat} {
		records, err := f.Append(nil, &one)
		if err != nil {
			t.Fatal(err)
		}
		if records, err = f.Append(records, &two); err != nil {
			t.Fatal(err)
		}
		body, mediaType := f.Seal(records, 2)
		if mediaType != format.MediaNDJSON || bytes.Count(body, []byte("\n")) != 2 || body[len(body)-1] != '\n' {
			t.Errorf("%s: %s %q", f.Name(), mediaType, body)
		}
	}
}

func TestJSON_roundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var want []string
		var records []byte
		n := rapid.IntRange(1, 4).Draw(t, "changes")
		for range n {
			c := changetest.Arbitrary{Text: true}.Change(t)
			want = append(want, string(changetest.Describe(&c)))
			var err error
			if records, err = typed.Append(records, &c); err != nil {
				t.Fatal(err)
			}
		}
		body, mediaType := typed.Seal(records, n)
		parsed, err := all.Parse(mediaType, body)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range parsed {
			if p.Err != nil || p.Format != "json" {
				t.Fatalf("%s, %v: %s", p.Format, p.Err, p.Data)
			}
			got = append(got, string(changetest.Describe(&p.Change)))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

// Flat JSON has no types, so a change may be read back with other types. Written again,
// it has the same bytes.
func TestFlatJSON_stableAfterFirstRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := changetest.Arbitrary{Text: true}.Change(t)
		line, err := flat.Append(nil, &c)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := all.Parse(format.MediaJSON, line)
		if err != nil || len(parsed) != 1 || parsed[0].Err != nil || parsed[0].Format != "flat-json" {
			t.Fatalf("%v, %v: %s", parsed, err, line)
		}
		again, err := flat.Append(nil, &parsed[0].Change)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(line), string(again)); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}
