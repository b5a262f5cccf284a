package formats_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/formats"
)

// Valid and invalid forms of one change.
func TestJSONParse_oneChange(t *testing.T) {
	key := `"key":["shop",null,"` + digest64 + `",null]`
	binned := func(bin string) string { return `{"msg":"write",` + key + `,"bins":[` + bin + `]}` }
	for _, tt := range []struct{ name, body, err string }{
		{"members in another order", `{"bins":[{"value":1,"type":"int","name":"a"}],` + key + `,"msg":"write"}`, ""},
		{"members of a newer sender", `{"new":{"a":[1]},"msg":"write",` + key + `}`, ""},
		{"a list without an order", binned(`{"name":"a","type":"list","value":[1],"ordered":false}`), ""},
		{"orders that are null", binned(`{"name":"a","type":"map","value":{},"ordered":null,"order":null}`), ""},
		{"escaped member names", `{"\u006dsg":"write","\u006bey":["shop",null,"` + digest64 + `",null]}`, ""},
		{"a bin called key in flat JSON", `{"metadata":{"namespace":"n","digest":"` + digest64 + `","msg":"write"},"key":5,"msg":1}`, ""},
		{"metadata at the end", `{"key":["a"],"metadata":{"namespace":"n","digest":"` + digest64 + `","msg":"write"}}`, ""},
		{"a digest with escapes", `{"msg":"write","key":["shop",null,"4cggTFyCxaDjqb2pso88\/imO2Sg\u003d",null]}`, ""},
		{"a digest of zeros", `{"metadata":{"namespace":"n","digest":"AAAAAAAAAAAAAAAAAAAAAAAAAAA=","msg":"write"}}`, ""},
		{"durable: null", `{"msg":"delete",` + key + `,"durable":null}`, ""},
		{"an integer where a double may be", binned(`{"name":"a","type":"float","value":3}`), ""},
		{"white space", " {\r\n\t\"msg\" : \"write\" , " + key + " } \n", ""},

		{"no key", `{"msg":"write"}`, `byte 0: neither JSON (no member "key") nor flat JSON (no object "metadata")`},
		{"another metadata key", `{"meta":{"namespace":"n"}}`, `no object "metadata"`},
		{"key is not an array", `{"msg":"write","key":"shop"}`, `byte 21: "key" is not an array`},
		{"key of three", `{"msg":"write","key":["shop",null,"x"]}`, `"key" has 3 elements`},
		{"namespace is null", `{"msg":"write","key":[null,null,"` + digest64 + `",null]}`, "the namespace is empty"},
		{"namespace is a number", `{"msg":"write","key":[1,null,"` + digest64 + `",null]}`, "byte 22: the namespace is not a string"},
		{"durable is a string", `{"msg":"delete",` + key + `,"durable":"true"}`, `"durable" is neither true nor false`},
		{"durable is a number", `{"metadata":{"namespace":"n","digest":"` + digest64 + `","msg":"delete","durable":1}}`, `"durable" is neither true nor false`},
		{"digest of 19 bytes", `{"msg":"write","key":["n",null,"4cggTFyCxaDjqb2pso88/imO2Q==",null]}`, "the digest is not 20 bytes in Base64"},
		{"digest of 21 bytes", `{"msg":"write","key":["n",null,"4cggTFyCxaDjqb2pso88/imO2Shh",null]}`, "the digest is not 20 bytes in Base64"},
		{"digest that is not Base64", `{"msg":"write","key":["n",null,"?cggTFyCxaDjqb2pso88/imO2Sg=",null]}`, "the digest is not 20 bytes in Base64"},
		{"digest is null", `{"msg":"write","key":["n",null,null,null]}`, "the digest is not 20 bytes in Base64"},
		{"user key is an object", `{"msg":"write","key":["n",null,"` + digest64 + `",{}]}`, "the user key is neither a string nor a number"},
		{"no msg", `{` + key + `}`, `missing member "msg"`},
		{"another msg", `{"msg":"touch",` + key + `}`, `byte 7: "msg" is neither "write" nor "delete"`},
		{"msg is a number", `{"msg":1,` + key + `}`, `"msg" is neither`},
		{"gen is negative", `{"msg":"write",` + key + `,"gen":-1}`, `"gen" is not a generation`},
		{"lut is a double", `{"msg":"write",` + key + `,"lut":1.5}`, `"lut" is not a`},
		{"exp is a string", `{"msg":"write",` + key + `,"exp":"1"}`, `"exp" is not a`},
		{"bins is an object", `{"msg":"write",` + key + `,"bins":{}}`, `"bins" is not an array`},
		{"a bin is a number", binned(`1`), "a bin is not an object"},
		{"a bin without a value", binned(`{"name":"a","type":"int"}`), `a bin needs "name"`},
		{"a bin without a type", binned(`{"name":"a","value":1}`), `a bin needs "name"`},
		{"a type that there is not", binned(`{"name":"a","type":"decimal","value":"secret"}`), "byte 98: the bin's type is none of str, int, float, bool, blob, list, map, geojson, hll, null"},
		{"a type in capitals", binned(`{"name":"a","type":"INT","value":1}`), "the bin's type is none of str, int"},
		{"a type that is empty", binned(`{"name":"a","type":"","value":null}`), "the bin's type is none of str, int"},
		{"an order that there is not", binned(`{"name":"a","type":"map","value":{},"order":"keys"}`), `"order" is neither "key" nor "key-value"`},
		{"an order that is a number", binned(`{"name":"a","type":"map","value":{},"order":1}`), `"order" is neither "key" nor "key-value"`},
		{"ordered is a string", binned(`{"name":"a","type":"list","value":[],"ordered":"true"}`), `"ordered" is neither true nor false`},
		{"int that is a string", binned(`{"name":"a","type":"int","value":"1"}`), "does not fit its bin's type"},
		{"str that is a number", binned(`{"name":"a","type":"str","value":1}`), "does not fit its bin's type"},
		{"float that is another string", binned(`{"name":"a","type":"float","value":"nan"}`), "does not fit its bin's type"},
		{"blob that is not Base64", binned(`{"name":"a","type":"blob","value":"?"}`), "not Base64"},
		{"blob that is a number", binned(`{"name":"a","type":"blob","value":1}`), "does not fit its bin's type"},
		{"list that is a map", binned(`{"name":"a","type":"list","value":{}}`), "does not fit its bin's type"},
		{"map that is a list", binned(`{"name":"a","type":"map","value":[]}`), "does not fit its bin's type"},
		{"geojson that is a string", binned(`{"name":"a","type":"geojson","value":"{}"}`), "does not fit its bin's type"},
		{"bool that is null", binned(`{"name":"a","type":"bool","value":null}`), "does not fit its bin's type"},
		{"null that is something", binned(`{"name":"a","type":"null","value":1}`), "does not fit its bin's type"},
		{"an integer of 65 bits", binned(`{"name":"a","type":"int","value":18446744073709551616}`), "an integer of more than 64 bits"},
		{"a double out of range", binned(`{"name":"a","type":"list","value":[1e999]}`), "beyond the range of doubles"},
		{"deeper than can be", binned(`{"name":"a","type":"list","value":` + strings.Repeat("[", 257) + strings.Repeat("]", 257) + `}`), "nest deeper than 256"},
		{"flat without a digest", `{"metadata":{"namespace":"n","msg":"write"}}`, `the metadata needs "namespace" and "digest"`},
		{"flat without msg", `{"metadata":{"namespace":"n","digest":"` + digest64 + `"}}`, `missing member "msg"`},
		{"flat with a huge bin", `{"metadata":{"namespace":"n","digest":"` + digest64 + `","msg":"write"},"a":1e999}`, "beyond the range of doubles"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			parsed, err := all.Parse(format.MediaJSON, []byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if len(parsed) != 1 || string(parsed[0].Data) != strings.TrimSpace(tt.body) {
				t.Fatalf("parsed %v", parsed)
			}
			wantPermanent(t, parsed[0].Err, tt.err)
		})
	}
}

// Errors that concern the whole body. They never quote it.
func TestJSONParse_body(t *testing.T) {
	good := `{"msg":"delete","key":["shop",null,"` + digest64 + `",null]}`
	for _, tt := range []struct {
		name, media, body string
		changes           int
		err               string
	}{
		{"nothing", format.MediaJSON, "", 0, ""},
		{"white space", format.MediaJSON, " \n", 0, ""},
		{"an empty array", format.MediaJSON, "[]", 0, ""},
		{"an array", format.MediaJSON, "[" + good + ",\n" + good + "]", 2, ""},
		{"objects one after another", format.MediaJSON, good + good + "\n" + good, 3, ""},
		{"two arrays", format.MediaJSON, "[" + good + "][" + good + "]", 2, ""},
		{"lines", format.MediaNDJSON, good + "\n" + good + "\r\n\n" + good, 3, ""},
		{"no lines", format.MediaNDJSON, "\n\n", 0, ""},

		{"a number", format.MediaJSON, "5", 0, "byte 0: want a JSON object"},
		{"a string in an array", format.MediaJSON, `["secret"]`, 0, "byte 1: want a JSON object"},
		{"an array in an array", format.MediaJSON, "[[" + good + "]]", 0, "byte 1: want a JSON object"},
		{"an array that ends early", format.MediaJSON, "[" + good, 0, "unexpected end of JSON"},
		{"an object that ends early", format.MediaJSON, good[:30], 0, "byte 30: unexpected end of JSON"},
		{"not JSON", format.MediaJSON, "secret", 0, "byte 0: not JSON"},
		{"bytes after the JSON", format.MediaJSON, good + "secret", 0, "not JSON"},
		{"not UTF-8", format.MediaJSON, "{\"secret\":\"\xff\"}", 0, "byte 11: not JSON: bytes that are not UTF-8"},
		{"a lone surrogate", format.MediaJSON, `{"secret":"\ud800"}`, 0, "not JSON: a lone surrogate"},
		{"nests 20000 deep", format.MediaJSON, `{"a":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + "}", 0, "byte 10004: too large: arrays and objects nest deeper than JSON can be checked"},
		{"another media type", "text/plain", good, 0, `unsupported media type "text/plain": want application/json, application/x-ndjson, application/ndjson, application/jsonl, application/x-jsonlines, `},
	} {
		t.Run(tt.name, func(t *testing.T) {
			parsed, err := all.Parse(tt.media, []byte(tt.body))
			wantPermanent(t, err, tt.err)
			if len(parsed) != tt.changes {
				t.Errorf("%d changes, want %d", len(parsed), tt.changes)
			}
			for _, p := range parsed {
				if p.Err != nil {
					t.Error(p.Err)
				}
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error quotes the data: %v", err)
			}
		})
	}
	if _, err := all.Parse("text/plain", nil); !errors.Is(err, format.ErrMediaType) {
		t.Errorf("error %v is not ErrMediaType", err)
	}
}

// A duplicate member does not affect the other objects of a body, small or large.
func TestJSONParse_duplicateMember(t *testing.T) {
	good := `{"msg":"delete","key":["shop",null,"` + digest64 + `",null]}`
	for _, tt := range []struct {
		object string
		at     int
	}{
		{`{"secret":1,"secret":2}`, 12},
		{`{"a":{"secret":1,"\u0073ecret":2}}`, 17},
		{`{"a":[{"secret":1,"secret":2}]}`, 18},
		{strings.Replace(good, "{", `{"m\u0073g":"write",`, 1), 20},
		{`{"a":` + strings.Repeat(" ", 5<<20) + `1,"a":2}`, 7 + 5<<20},
	} {
		for _, join := range [][3]string{{"[", ",", "]"}, {"", "", ""}, {"", "\n", ""}} {
			body := join[0] + good + join[1] + tt.object + join[1] + tt.object + join[1] + good + join[2]
			parsed, err := all.Parse(format.MediaJSON, []byte(body))
			if err != nil || len(parsed) != 4 {
				t.Fatalf("%d changes, %v", len(parsed), err)
			}
			wantPermanent(t, parsed[1].Err, fmt.Sprintf("byte %d: duplicate member in a JSON object", len(join[0]+good+join[1])+tt.at))
			if parsed[0].Err != nil || parsed[2].Err == nil || parsed[3].Err != nil || string(parsed[2].Data) != tt.object || strings.Contains(parsed[1].Err.Error(), "secret") {
				t.Errorf("%v, %v, %v", parsed[0].Err, parsed[1].Err, parsed[3].Err)
			}
		}
	}
}

// A line that cannot be read does not affect the others.
func TestJSONParseLines_independentLines(t *testing.T) {
	good := `{"msg":"delete","key":["shop",null,"` + digest64 + `",null]}`
	body := strings.Join([]string{good, `{"msg":`, good, `{}{}`, good, `"`, good, "5", "[]"}, "\n")
	parsed, err := all.Parse(format.MediaNDJSON, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range parsed {
		got = append(got, fmt.Sprint(p.Err))
	}
	at := len(good) + 1
	want := []string{
		"<nil>", fmt.Sprintf("byte %d: unexpected end of JSON", at+7), "<nil>", fmt.Sprintf("byte %d: more than one JSON value on the line", 2*at+8+2),
		"<nil>", fmt.Sprintf("byte %d: unexpected end of JSON", 3*at+8+5+1), "<nil>",
		fmt.Sprintf("byte %d: a line holds one JSON object", 4*at+8+5+2+1), fmt.Sprintf("byte %d: a line holds one JSON object", 4*at+8+5+2+2+2),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestJSONParse_withoutBins(t *testing.T) {
	body := []byte(`{"msg":"write","key":["shop",null,"` + digest64 + `",5],"gen":3,"bins":[{"name":"a"}]}`)
	parsed, err := formats.Parser{}.Parse(format.MediaJSON, body)
	if err != nil || len(parsed) != 1 || parsed[0].Err != nil {
		t.Fatalf("%v, %v: bins were read without Bins", parsed, err)
	}
	if c := parsed[0].Change; c.Generation != 3 || c.Key.Integer() != 5 || c.Bins != nil {
		t.Errorf("read %s", changetest.Describe(&c))
	}
}

func FuzzJSON(f *testing.F) {
	for _, p := range payloads(f) {
		if p.isJSON() {
			f.Add(p.body(f), p.ContentType == format.MediaNDJSON)
		}
	}
	f.Add([]byte(`{"metadata":{"namespace":"n","digest":"`+digest64+`","msg":"write"},"a":[{"b":[1,-0.0,1e5,"\u00e9\\",null,true]}]}`), false)
	f.Fuzz(func(t *testing.T, body []byte, lines bool) {
		media := map[bool]string{true: format.MediaNDJSON, false: format.MediaJSON}[lines]
		for _, p := range sound(t, all, media, body) {
			again(t, p)
		}
	})
}

// again writes a parsed change as JSON, parses that, and checks that the change is the same.
func again(t *testing.T, p format.Parsed) {
	line, err := typed.Append(nil, &p.Change)
	if err != nil {
		t.Fatalf("parsed what cannot be written: %v", err)
	}
	parsed, err := all.Parse(format.MediaJSON, line)
	if err != nil || len(parsed) != 1 || parsed[0].Err != nil {
		t.Fatalf("%v, %v: %s", parsed, err, line)
	}
	if diff := cmp.Diff(string(changetest.Describe(&p.Change)), string(changetest.Describe(&parsed[0].Change))); diff != "" {
		t.Fatalf("(-parsed +parsed again):\n%s", diff)
	}
	if p.Format == "flat-json" {
		checkAgainstTheStandardLibrary(t, p)
	}
}

// checkAgainstTheStandardLibrary compares the bins, written as flat JSON, with
// what encoding/json returns for the original.
func checkAgainstTheStandardLibrary(t *testing.T, p format.Parsed) {
	line, err := flat.Append(nil, &p.Change)
	if err != nil {
		return // two members of one name, once it is UTF-8
	}
	var want, got map[string]any
	for dst, src := range map[*map[string]any][]byte{&want: p.Data, &got: line} {
		if err := json.Unmarshal(src, dst); err != nil {
			t.Fatalf("%v: %s", err, src)
		}
		delete(*dst, "metadata")
	}
	if p.Change.Op == change.Write {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-standard library +parsed and written):\n%s", diff)
		}
	}
}

// JSON and flat JSON are told apart by the members of an object. An object that is both is
// an error; the error for one that is neither lists the members that might be metadata.
func TestJSONParse_jsonOrFlatJSON(t *testing.T) {
	key := `"msg":"write","key":["shop",null,"` + digest64 + `",null]`
	metadata := `{"namespace":"n","digest":"` + digest64 + `","msg":"write"}`
	many := ""
	for i := range 20 {
		many += fmt.Sprintf(`"m%d":{},`, i)
	}
	for _, tt := range []struct{ name, body, format, err string }{
		{"JSON", `{` + key + `}`, "json", ""},
		{"flat JSON", `{"metadata":` + metadata + `}`, "flat-json", ""},
		{"JSON with metadata that is not an object", `{` + key + `,"metadata":5}`, "json", ""},
		{"flat JSON with a bin of the name", `{"metadata":` + metadata + `,"key":["a","b","c","d"],"msg":"write"}`, "flat-json", ""},
		{"flat JSON with a key and no msg", `{"metadata":` + metadata + `,` + strings.TrimPrefix(key, `"msg":"write",`) + `}`, "flat-json", ""},
		{"both", `{` + key + `,"metadata":` + metadata + `}`, "flat-json", `byte 0: both JSON and flat JSON: it has the members "msg" and "key", and metadata in "metadata"`},
		{"both, in other spellings", `{"\u006dsg":"write","\u006bey":["shop",null,"` + digest64 + `",null],"met\u0061data":` + metadata + `}`, "flat-json", "both JSON and flat JSON"},
		{"JSON whose metadata is not whole", `{` + key + `,"metadata":{"namespace":"n"}}`, "flat-json", `the metadata needs "namespace" and "digest"`},

		{"neither", `{"a":1}`, "json", `byte 0: neither JSON (no member "key") nor flat JSON (no object "metadata")`},
		{"another key", `{"meta":` + metadata + `,"b":{}}`, "json", `nor flat JSON (no object "metadata"); did you mean METADATA_KEY=meta? members with objects: "meta", "b"`},
		{"an object that is not metadata", `{"bin":{"namespace":1}}`, "json", `no object "metadata"); members with objects: "bin"`},
		{"a name that is long", `{"` + strings.Repeat("é", 40) + `":{}}`, "json", `members with objects: "` + strings.Repeat("é", 16) + `"`},
		{"a name that is cut inside a character", `{"x` + strings.Repeat("é", 40) + `":{}}`, "json", `members with objects: "x` + strings.Repeat("é", 15) + `"`},
		{"many names", `{` + many + `"b":1}`, "json", `members with objects: "m0", "m1", "m2", "m3", "m4", "m5", "m6", "m7"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, bins := range []bool{true, false} {
				p := formats.Parser{MetadataKey: "metadata", Bins: bins}
				parsed, err := p.Parse(format.MediaJSON, []byte(tt.body))
				if err != nil || len(parsed) != 1 || parsed[0].Format != tt.format || string(parsed[0].Data) != tt.body {
					t.Fatalf("%v, %v", parsed, err)
				}
				wantPermanent(t, parsed[0].Err, tt.err)
				if err := parsed[0].Err; tt.err != "" && strings.HasSuffix(tt.err, `"`) && !strings.HasSuffix(err.Error(), tt.err) {
					t.Errorf("error %v, want no more than %s", err, tt.err)
				}
			}
		})
	}
	parsed, err := formats.Parser{}.Parse(format.MediaJSON, []byte(`{"":`+metadata+`}`))
	if err != nil || parsed[0].Err == nil {
		t.Errorf("a parser without a metadata key took a nameless member for metadata: %v, %v", parsed, err)
	}
}

// The bytes of a number do not change, nor does its value if it fits.
func TestJSONParse_numbers(t *testing.T) {
	for _, tt := range []struct{ number, want, err string }{
		{"9223372036854775807", "integer 9223372036854775807", ""},
		{"9223372036854775808", "unsigned 9223372036854775808", ""},
		{"18446744073709551615", "unsigned 18446744073709551615", ""},
		{"18446744073709551616", "", "an integer of more than 64 bits"},
		{"-9223372036854775808", "integer -9223372036854775808", ""},
		{"-9223372036854775809", "", "an integer of more than 64 bits"},
		{"-0", "integer 0", ""},
		{"-0.0", "double -0", ""},
		{"1e400", "", "a number beyond the range of doubles"},
		{"1e-400", "double 0", ""},
		{strings.Repeat("9", 20_000), "", "an integer of more than 64 bits"},
		{"0." + strings.Repeat("3", 20_000), "double 0.3333333333333333", ""},
		{strings.Repeat("9", 20_000) + ".0", "", "a number beyond the range of doubles"},
	} {
		body := `{"metadata":{"namespace":"n","digest":"` + digest64 + `","msg":"write"},"b":` + tt.number + `}`
		parsed, err := all.Parse(format.MediaJSON, []byte(body))
		if err != nil || len(parsed) != 1 {
			t.Fatalf("%.30s: %v", tt.number, err)
		}
		wantPermanent(t, parsed[0].Err, tt.err)
		if bins := parsed[0].Change.Bins; tt.err == "" && (len(bins) != 1 || describe(bins[0].Value) != tt.want) {
			t.Errorf("%.30s: %v, want %s", tt.number, bins, tt.want)
		}
		if err := parsed[0].Err; err != nil && len(err.Error()) > 100 {
			t.Errorf("%.30s: the error quotes it", tt.number)
		}
		plain := formats.Parser{MetadataKey: "metadata"}
		if parsed, err := plain.Parse(format.MediaJSON, []byte(body)); err != nil || parsed[0].Err != nil || string(parsed[0].Data) != body {
			t.Errorf("%.30s: passed on as it is: %v, %v", tt.number, parsed[0].Err, err)
		}
	}
}

func describe(v change.Value) string {
	switch v.Kind() {
	case change.KindInteger:
		return fmt.Sprint("integer ", v.Integer())
	case change.KindUnsigned:
		return fmt.Sprint("unsigned ", v.Unsigned())
	case change.KindDouble:
		return fmt.Sprint("double ", v.Double())
	}
	return v.Kind().String()
}

// Bytes that are not JSON in UTF-8 are an error of the whole body, but only of their own
// line in newline-delimited JSON.
func TestJSONParse_invalidSyntax(t *testing.T) {
	good := `{"msg":"delete","key":["shop",null,"` + digest64 + `",null]}`
	sixteen := utf16.Encode([]rune(good))
	wide := make([]byte, 0, 2*len(sixteen))
	for _, unit := range sixteen {
		wide = binary.LittleEndian.AppendUint16(wide, unit)
	}
	for _, tt := range []struct{ name, text, err string }{
		{"a byte order mark", "\ufeff" + good, "byte 0: not JSON: a byte order mark"},
		{"UTF-16", string(wide), "not JSON: UTF-16; want UTF-8"},
		{"UTF-16 with its mark", "\xff\xfe" + string(wide), "byte 0: not JSON: UTF-16; want UTF-8"},
		{"big-endian UTF-16", "\x00" + string(wide[:len(wide)-1]), "not JSON: UTF-16; want UTF-8"},
		{"NUL", "\x00\x00" + good, "byte 0: not JSON: a NUL byte"},
		{"NUL behind it", good + "\x00", "not JSON: a NUL byte"},
		{"NUL in a string", strings.Replace(good, "shop", "sh\x00p", 1), "byte 26: not JSON: a NUL byte"},
		{"a tab in a string", strings.Replace(good, "shop", "sh\tp", 1), "not JSON: a control character that is not escaped"},
		{"a lone surrogate", strings.Replace(good, "shop", `sh\uDC00p`, 1), "byte 26: not JSON: a lone surrogate"},
		{"half a pair", strings.Replace(good, "shop", `sh\ud800\u0041p`, 1), "not JSON: a lone surrogate"},
		{"a surrogate in UTF-8", strings.Replace(good, "shop", "sh\xed\xa0\x80p", 1), "not JSON: bytes that are not UTF-8"},
		{"Latin-1", strings.Replace(good, "shop", "caf\xe9", 1), "not JSON: bytes that are not UTF-8"},
		{"an escape of another language", strings.Replace(good, "shop", `sh\x41p`, 1), "not JSON: an unknown escape sequence"},
		{"a comment", good + "// comment", "not JSON: a comment"},
		{"a trailing comma", good[:len(good)-1] + " , }", "not JSON: a comma before the end of an object or array"},
		{"a trailing comma in an array", strings.Replace(good, "null]", "null,]", 1), "not JSON: a comma before the end of an object or array"},
		{"two commas", strings.Replace(good, "null,", "null,,", 1), "not JSON: a comma after no value"},
		{"a comma behind it", good + ",", "not JSON: a comma between values that are not in an array"},
		{"single quotes", strings.ReplaceAll(good, `"`, "'"), "not JSON: single quotes"},
		{"NaN", strings.Replace(good, "null", "NaN", 1), "not JSON: NaN or Infinity"},
		{"minus infinity", strings.Replace(good, "null", "-Infinity", 1), "not JSON: NaN or Infinity"},
		{"a web page", "<html>", "byte 0: not JSON: XML or HTML"},
		{"a plus", strings.Replace(good, "null", "+1", 1), "not JSON"},
		{"a leading zero", strings.Replace(good, "null", "01", 1), "not JSON"},
	} {
		name, text := tt.name, tt.text
		parsed, err := all.Parse(format.MediaJSON, []byte(text))
		if wantPermanent(t, err, tt.err); parsed != nil {
			t.Errorf("%s: %v", name, parsed)
		}
		parsed, err = all.Parse(format.MediaNDJSON, []byte(good+"\n"+text+"\n"+good))
		if err != nil || len(parsed) != 3 || parsed[0].Err != nil || parsed[2].Err != nil {
			t.Errorf("%s: %d lines, %v: the lines around it are affected", name, len(parsed), err)
			continue
		}
		_, cause, _ := strings.Cut(tt.err, "not JSON")
		wantPermanent(t, parsed[1].Err, "not JSON"+cause)
		bad := parsed[1]
		if !change.IsPermanent(bad.Err) || bad.Format != "json" || string(bad.Data) != text || bad.Offset <= len(good) || bad.Offset > len(good)+1+len(text) {
			t.Errorf("%s: %q in %s at byte %d: %v", name, bad.Data, bad.Format, bad.Offset, bad.Err)
		}
	}
}

// The names of a large object take little memory, and duplicates are found as in a small
// object.
func TestJSONParse_manyMembers(t *testing.T) {
	const size = 8 << 20
	head := `{"metadata":{"namespace":"n","digest":"` + digest64 + `","msg":"write"},"b":[{"twice":1,"o":{"twice":2}},{`
	members := []byte(head)
	for i := 0; len(members) < size; i++ {
		members = fmt.Appendf(members, `"k%x":0,`, i)
	}
	for name, tt := range map[string]struct {
		tail string
		at   int // in the tail
	}{
		"once":               {`"twice":3}]}`, -1},
		"twice":              {`"k7":0}]}`, 0},
		"twice with escapes": {`"k\u0037":0}]}`, 0},
		"twice further in":   {`"a":[{"a":"\"","a":1}]}]}`, 15},
		"twice further out":  {`"a":1}],"b":1}`, 8},
	} {
		t.Run(name, func(t *testing.T) {
			p := formats.Parser{MetadataKey: "metadata"}
			small, err := p.Parse(format.MediaNDJSON, []byte(head+`"k7":0,`+tt.tail))
			if err != nil {
				t.Fatal(err)
			}
			body := append(bytes.Clone(members), tt.tail...)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			large, err := p.Parse(format.MediaNDJSON, body)
			runtime.ReadMemStats(&after)
			if used := after.TotalAlloc - before.TotalAlloc; used > 5*size {
				t.Errorf("%d bytes allocated for a body of %d", used, len(body))
			}
			if tt.at < 0 {
				if err != nil || large[0].Err != nil || small[0].Err != nil {
					t.Errorf("%v, %v, %v", err, large[0].Err, small[0].Err)
				}
				return
			}
			for most, got := range map[int]format.Parsed{len(head) + len(`"k7":0,`): small[0], len(members): large[0]} {
				wantPermanent(t, got.Err, fmt.Sprintf("byte %d: duplicate member", most+tt.at))
			}
		})
	}
}
