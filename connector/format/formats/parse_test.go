package formats_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/formats"
)

// payload is one entry of testdata/payloads/index.json: a body as Aerospike's
// connector sends it.
type payload struct {
	File        string         `json:"file"`
	ContentType string         `json:"content_type"`
	Format      string         `json:"format"`
	Expect      map[string]any `json:"expect"`
}

func payloads(t testing.TB) []payload {
	t.Helper()
	index, err := os.ReadFile(changetest.Testdata(t, "payloads", "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	var list struct{ Payloads []payload }
	dec := json.NewDecoder(bytes.NewReader(index))
	dec.UseNumber()
	if err := dec.Decode(&list); err != nil {
		t.Fatal(err)
	}
	return list.Payloads
}

func (p payload) body(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile(changetest.Testdata(t, "payloads", p.File))
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Ext(p.File) == ".hex" {
		if b, err = hex.DecodeString(strings.TrimSpace(string(b))); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// isValid tells samples from those that show what is none.
func (p payload) isValid() bool { return p.Expect["error"] == nil }

// parser returns a Parser that has the schema of the sample, if it needs one.
func (p payload) parser(t *testing.T) formats.Parser {
	name, ok := p.Expect["schema"].(string)
	if !ok {
		return all
	}
	return reading(newAvro(t, schema(t, name)))
}

func (p payload) isJSON() bool {
	return strings.HasPrefix(p.Format, "json") || strings.HasPrefix(p.Format, "flat-json")
}

func TestPayloads(t *testing.T) {
	ran := 0
	for _, p := range payloads(t) {
		if !p.isValid() {
			continue
		}
		ran++
		t.Run(p.File, func(t *testing.T) {
			parsed, err := p.parser(t).Parse(p.ContentType, p.body(t))
			if err != nil {
				t.Fatal(err)
			}
			if msgs, ok := p.Expect["msgs"].([]any); ok {
				var got []any
				for _, one := range parsed {
					got = append(got, one.Change.Op.String())
				}
				for i := range got { // the samples say delete of both kinds
					got[i] = strings.TrimPrefix(got[i].(string), "durable-")
				}
				if diff := cmp.Diff(msgs, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				return
			}
			if len(parsed) != 1 || parsed[0].Err != nil {
				t.Fatalf("parsed %v", parsed)
			}
			p.check(t, parsed[0])
		})
	}
	if ran == 0 {
		t.Fatal("no payload")
	}
}

// check compares each expectation that it knows and fails for one it does not.
func (p payload) check(t *testing.T, parsed format.Parsed) {
	t.Helper()
	c := parsed.Change
	values := map[string]change.Value{}
	var names []any
	for _, b := range c.Bins {
		values[b.Name] = b.Value
		names = append(names, b.Name)
	}
	if names == nil {
		names = []any{}
	}
	got := map[string]any{
		"msg": strings.TrimPrefix(c.Op.String(), "durable-"), "namespace": c.Namespace, "set": orNil(c.Set != "", c.Set),
		"userKey": plain(c.Key), "digest_b64": c.Digest.String(), "gen": orNil(c.Generation != 0, number(int64(c.Generation))),
		"exp": orNil(c.Expiry != change.ExpiryUnknown, number(c.Expiry)), "lut": orNil(c.LUT != 0, number(c.LUT)), "durable": c.Op == change.DurableDelete,
		"bins": names, "n": plain(values["n"]), "max": plain(values["max"]), "a": plain(values["a"]),
		"sig_bytes_hex": binHex(values["sig"]), "userKey_is_base64_of_hex": unBase64(c.Key.Bytes()),
		"metadata_key": map[bool]string{true: "metadata"}[parsed.Format == "flat-json"],
	}
	if !strings.HasPrefix(p.Format, parsed.Format) {
		t.Errorf("taken for %s, want %s", parsed.Format, p.Format)
	}
	if parsed.Format == "message-pack" {
		got["version"], got["type"], got["flags"] = number(1), got["msg"], number(map[bool]int64{true: 1}[c.Op == change.DurableDelete])
		got["bins"] = packedBins(c.Bins)
	}
	if parsed.Format == "flat-json" { // a blob is a string there
		got["sig_bytes_hex"] = unBase64(values["sig"].Bytes())
	}
	if parsed.Format == "avro" {
		got["schema"], got["keys"] = p.Expect["schema"], append([]any{"metadata"}, names...)
		got["status"], got["total"], got["items"], got["count"] = plain(values["status"]), plain(values["total"]), plain(values["items"]), plain(values["count"])
	}
	for name, want := range p.Expect {
		have, known := got[name]
		if !known {
			t.Errorf("the test does not know how to check %q", name)
		}
		if diff := cmp.Diff(want, have); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// packedBins returns the bins as the samples of MessagePack show them, with the
// value of one that has a number.
func packedBins(bins []change.Bin) []any {
	var all []any
	for _, b := range bins {
		order := change.Unordered
		if b.Value.Kind().IsCollection() {
			order = b.Value.Order()
		}
		one := []any{b.Name, number(int64(b.Value.Kind())), number(int64(order))}
		if b.Name == "n" {
			one = append(one, plain(b.Value))
		}
		all = append(all, one)
	}
	return all
}

func orNil(known bool, x any) any {
	if known {
		return x
	}
	return nil
}

func number(i int64) json.Number { return json.Number(fmt.Sprint(i)) }

func plain(v change.Value) any {
	switch v.Kind() {
	case change.KindString:
		return string(v.Bytes())
	case change.KindInteger:
		return number(v.Integer())
	case change.KindDouble:
		return json.Number(fmt.Sprint(v.Double()))
	case change.KindList:
		var list []any
		for r := v.Elements(); len(list) < v.Len(); {
			list = append(list, plain(r.Next()))
		}
		return list
	}
	return nil
}

func binHex(v change.Value) string { return hex.EncodeToString(v.Bytes()) }

func unBase64(b []byte) string {
	decoded, err := base64.StdEncoding.DecodeString(string(b))
	if err != nil {
		return ""
	}
	return hex.EncodeToString(decoded)
}

const digest64 = "4cggTFyCxaDjqb2pso88/imO2Sg="

// What one change may look like, and what it must not.
func TestParseOneChange(t *testing.T) {
	key := `"key":["shop",null,"` + digest64 + `",null]`
	binned := func(bin string) string { return `{"msg":"write",` + key + `,"bins":[` + bin + `]}` }
	for _, tt := range []struct{ name, body, err string }{
		{"members in another order", `{"bins":[{"value":1,"type":"int","name":"a"}],` + key + `,"msg":"write"}`, ""},
		{"members of a newer sender", `{"new":{"a":[1]},"msg":"write",` + key + `}`, ""},
		{"type of a newer sender", binned(`{"name":"a","type":"vector","value":[1]}`), ""},
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
		{"digest that is no Base64", `{"msg":"write","key":["n",null,"?cggTFyCxaDjqb2pso88/imO2Sg=",null]}`, "the digest is not 20 bytes in Base64"},
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
		{"int that is a string", binned(`{"name":"a","type":"int","value":"1"}`), "does not fit its bin's type"},
		{"str that is a number", binned(`{"name":"a","type":"str","value":1}`), "does not fit its bin's type"},
		{"float that is another string", binned(`{"name":"a","type":"float","value":"nan"}`), "does not fit its bin's type"},
		{"blob that is no Base64", binned(`{"name":"a","type":"blob","value":"?"}`), "not Base64"},
		{"blob that is a number", binned(`{"name":"a","type":"blob","value":1}`), "does not fit its bin's type"},
		{"list that is a map", binned(`{"name":"a","type":"list","value":{}}`), "does not fit its bin's type"},
		{"map that is a list", binned(`{"name":"a","type":"map","value":[]}`), "does not fit its bin's type"},
		{"geojson that is a string", binned(`{"name":"a","type":"geojson","value":"{}"}`), "does not fit its bin's type"},
		{"bool that is null", binned(`{"name":"a","type":"bool","value":null}`), "does not fit its bin's type"},
		{"null that is something", binned(`{"name":"a","type":"null","value":1}`), "does not fit its bin's type"},
		{"an integer of 65 bits", binned(`{"name":"a","type":"int","value":18446744073709551616}`), "an integer of more than 64 bits"},
		{"a double that is none", binned(`{"name":"a","type":"list","value":[1e999]}`), "beyond the range of doubles"},
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

func wantPermanent(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Error(err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want) || !change.IsPermanent(err)):
		t.Errorf("error %v, want a permanent one that says %q", err, want)
	}
}

// What is wrong with a whole body; the error never quotes it.
func TestParseBody(t *testing.T) {
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
		{"an array that ends early", format.MediaJSON, "[" + good, 0, "the JSON ends too early"},
		{"an object that ends early", format.MediaJSON, good[:30], 0, "byte 30: the JSON ends too early"},
		{"no JSON", format.MediaJSON, "secret", 0, "byte 0: not JSON in UTF-8"},
		{"bytes after the JSON", format.MediaJSON, good + "secret", 0, "not JSON in UTF-8"},
		{"not UTF-8", format.MediaJSON, "{\"secret\":\"\xff\"}", 0, "byte 11: not JSON in UTF-8"},
		{"a lone surrogate", format.MediaJSON, `{"secret":"\ud800"}`, 0, "not JSON in UTF-8"},
		{"duplicate member", format.MediaJSON, `{"secret":1,"secret":2}`, 0, "duplicate member"},
		{"the same member twice, in a bin", format.MediaJSON, `{"a":{"secret":1,"\u0073ecret":2}}`, 0, "duplicate member"},
		{"deeper than anyone goes", format.MediaJSON, `{"a":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + "}", 0, "byte 10004: too large: arrays and objects nest deeper than JSON can be checked"},
		{"another media type", "text/plain", good, 0, `unsupported media type "text/plain": want application/json, application/x-ndjson, application/x-msgpack`},
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

// What a body could be said of must not take many times its memory.
func TestParseBodyOfNothings(t *testing.T) {
	for mediaType, part := range map[string]string{format.MediaJSON: "{}", format.MediaNDJSON: "0\n", format.MediaMessagePack: "\xc0", format.MediaXDR: "\x02\x03\x00\x00\x00\x00\x00\x00"} {
		_, err := all.Parse(mediaType, []byte(strings.Repeat(part, 1000)))
		wantPermanent(t, err, "more changes than a body of this size can hold")
		if parsed, err := all.Parse(mediaType, []byte(strings.Repeat(part, 50))); err != nil || len(parsed) != 50 {
			t.Errorf("%s: %d changes, %v", mediaType, len(parsed), err)
		}
	}
	if parsed, err := all.Parse(format.MediaNDJSON, []byte(strings.Repeat("\n", 1000))); err != nil || len(parsed) != 0 {
		t.Errorf("empty lines: %d changes, %v", len(parsed), err)
	}
}

// A line that cannot be read says nothing about its neighbours.
func TestParseLines(t *testing.T) {
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
		"<nil>", fmt.Sprintf("byte %d: the JSON ends too early", at+7), "<nil>", fmt.Sprintf("byte %d: more than one JSON value on the line", 2*at+8+2),
		"<nil>", fmt.Sprintf("byte %d: the JSON ends too early", 3*at+8+5+1), "<nil>",
		fmt.Sprintf("byte %d: a line holds one JSON object", 4*at+8+5+2+1), fmt.Sprintf("byte %d: a line holds one JSON object", 4*at+8+5+2+2+2),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParseWithoutBins(t *testing.T) {
	body := []byte(`{"msg":"write","key":["shop",null,"` + digest64 + `",5],"gen":3,"bins":[{"name":"a"}]}`)
	parsed, err := formats.Parser{}.Parse(format.MediaJSON, body)
	if err != nil || len(parsed) != 1 || parsed[0].Err != nil {
		t.Fatalf("%v, %v: bins that nobody asked for were read", parsed, err)
	}
	if c := parsed[0].Change; c.Generation != 3 || c.Key.Integer() != 5 || c.Bins != nil {
		t.Errorf("read %s", changetest.Describe(&c))
	}
}

func FuzzParse(f *testing.F) {
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

// again writes what was parsed as JSON and parses that: the same change.
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
// what encoding/json makes of the original.
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

// Whatever was in the room that a caller lends, what comes out is the same, and in it
// as far as it goes.
func TestParseRoom(t *testing.T) {
	key := `{"msg":"write","key":["shop",null,"` + digest64 + `",null],"gen":7,"bins":[{"name":"a","type":"int","value":1}]}`
	body := []byte(key + "\n{}\n" + strings.Replace(key, `"gen":7,`, "", 1))
	p := all
	p.Bins = true
	want, err := p.Parse(format.MediaNDJSON, body)
	if err != nil || len(want) != 3 {
		t.Fatal(want, err)
	}
	for _, room := range []int{0, 1, 3, 100} {
		p.Buffer = make([]format.Parsed, room)
		for i := range p.Buffer {
			p.Buffer[i] = want[0]
		}
		got, err := p.Parse(format.MediaNDJSON, body)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("room for %d: %v, %v, want %v", room, got, err, want)
		}
		if in := room > 0 && &got[0] == &p.Buffer[0]; in != (room >= len(want)) {
			t.Errorf("room for %d: used is %t", room, in)
		}
	}
}
