package formats_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/formats"
	"github.com/aerosink/aerosink/connector/xdr"
)

// JSON and flat JSON are told apart by what an object holds. What could be both is
// refused, and what is neither is told what it has instead.
func TestJSONOrFlatJSON(t *testing.T) {
	key := `"msg":"write","key":["shop",null,"` + digest64 + `",null]`
	metadata := `{"namespace":"n","digest":"` + digest64 + `","msg":"write"}`
	many := ""
	for i := range 20 {
		many += fmt.Sprintf(`"m%d":{},`, i)
	}
	for _, tt := range []struct{ name, body, format, err string }{
		{"JSON", `{` + key + `}`, "json", ""},
		{"flat JSON", `{"metadata":` + metadata + `}`, "flat-json", ""},
		{"JSON with metadata that is no object", `{` + key + `,"metadata":5}`, "json", ""},
		{"flat JSON with a bin of the name", `{"metadata":` + metadata + `,"key":["a","b","c","d"],"msg":"write"}`, "flat-json", ""},
		{"flat JSON with a key and no msg", `{"metadata":` + metadata + `,` + strings.TrimPrefix(key, `"msg":"write",`) + `}`, "flat-json", ""},
		{"both", `{` + key + `,"metadata":` + metadata + `}`, "flat-json", `byte 0: both JSON and flat JSON: it has the members "msg" and "key", and metadata in "metadata"`},
		{"both, in other spellings", `{"\u006dsg":"write","\u006bey":["shop",null,"` + digest64 + `",null],"met\u0061data":` + metadata + `}`, "flat-json", "both JSON and flat JSON"},
		{"JSON whose metadata is not whole", `{` + key + `,"metadata":{"namespace":"n"}}`, "flat-json", `the metadata needs "namespace" and "digest"`},

		{"neither", `{"a":1}`, "json", `byte 0: neither JSON (no member "key") nor flat JSON (no object "metadata")`},
		{"another key", `{"meta":` + metadata + `,"b":{}}`, "json", `nor flat JSON (no object "metadata"); did you mean METADATA_KEY=meta? members with objects: "meta", "b"`},
		{"an object that is none", `{"bin":{"namespace":1}}`, "json", `no object "metadata"); members with objects: "bin"`},
		{"a name that is long", `{"` + strings.Repeat("é", 40) + `":{}}`, "json", `members with objects: "` + strings.Repeat("é", 16) + `"`},
		{"a name that is cut in a letter", `{"x` + strings.Repeat("é", 40) + `":{}}`, "json", `members with objects: "x` + strings.Repeat("é", 15) + `"`},
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

// Numbers stay what they are as bytes, and as values where they fit.
func TestJSONNumbers(t *testing.T) {
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

// What is no JSON in UTF-8 is no change: as a body it is refused, as a line it stands
// for itself.
func TestNotJSON(t *testing.T) {
	good := `{"msg":"delete","key":["shop",null,"` + digest64 + `",null]}`
	sixteen := utf16.Encode([]rune(good))
	wide := make([]byte, 0, 2*len(sixteen))
	for _, unit := range sixteen {
		wide = binary.LittleEndian.AppendUint16(wide, unit)
	}
	for name, text := range map[string]string{
		"a byte order mark": "\ufeff" + good, "UTF-16": string(wide), "UTF-16 with its mark": "\xff\xfe" + string(wide), "NUL": "\x00" + good, "NUL behind it": good + "\x00",
		"NUL in a string": strings.Replace(good, "shop", "sh\x00p", 1), "a lone surrogate": strings.Replace(good, "shop", `sh\udc00p`, 1), "half a pair": strings.Replace(good, "shop", `sh\ud800\u0041p`, 1),
		"Latin-1": strings.Replace(good, "shop", "caf\xe9", 1), "a comment": good + "// comment", "a trailing comma": good[:len(good)-1] + ",}", "single quotes": strings.ReplaceAll(good, `"`, "'"),
		"a key twice": strings.Replace(good, `{`, `{"msg":"write",`, 1), "a key twice, once escaped": strings.Replace(good, `{`, `{"m\u0073g":"write",`, 1),
		"NaN": strings.Replace(good, "null", "NaN", 1), "a plus": strings.Replace(good, "null", "+1", 1), "a leading zero": strings.Replace(good, "null", "01", 1),
	} {
		if parsed, err := all.Parse(format.MediaJSON, []byte(text)); !change.IsPermanent(err) {
			t.Errorf("%s: %v, %v", name, parsed, err)
		}
		parsed, err := all.Parse(format.MediaNDJSON, []byte(good+"\n"+text+"\n"+good))
		if err != nil || len(parsed) != 3 || parsed[0].Err != nil || parsed[2].Err != nil {
			t.Errorf("%s: %d lines, %v: its neighbours suffer", name, len(parsed), err)
			continue
		}
		bad := parsed[1]
		if !change.IsPermanent(bad.Err) || bad.Format != "json" || string(bad.Data) != text || bad.Offset <= len(good) || bad.Offset > len(good)+1+len(text) {
			t.Errorf("%s: %q in %s at byte %d: %v", name, bad.Data, bad.Format, bad.Offset, bad.Err)
		}
	}
}

// A change is an array that begins with its version, several are an array that begins
// with an array.
func TestMessagePackArrays(t *testing.T) {
	digits := "9301029294a16ec0c414" + strings.Repeat("00", 20) + "c000"
	good, err := hex.DecodeString(digits)
	if err != nil {
		t.Fatal(err)
	}
	many := append([]byte{0xdc, 0, 20}, bytes.Repeat(good, 20)...)
	for _, tt := range []struct {
		name, body string
		want       []string // of each change, its error
		err        string
	}{
		{"one", string(good), []string{""}, ""},
		{"two", string(good) + string(good), []string{"", ""}, ""},
		{"an array of none", "\x90", nil, ""},
		{"an array of one", "\x91" + string(good), []string{""}, ""},
		{"an array of two", "\x92" + string(good) + string(good), []string{"", ""}, ""},
		{"an array with a longer head", "\xdd\x00\x00\x00\x02" + string(good) + string(good), []string{"", ""}, ""},
		{"an array of many, and one more", string(many) + string(good), make([]string, 21), ""},
		{"two arrays and a change between", "\x91" + string(good) + string(good) + "\x92" + string(good) + string(good), make([]string, 4), ""},
		{"an array with something else in it", "\x93" + string(good) + "\xa6secret" + string(good), []string{"", "byte 33: a change: msgp", ""}, ""},
		{"an array in an array", "\x91\x91" + string(good), []string{"byte 2: a change is an array of 1, not 3"}, ""},
		{"an array that begins with something else", "\x92\xc0" + string(good), []string{"a change is an array of 2, not 3"}, ""},
		{"an array that ends too early", "\x93" + string(good) + string(good), nil, "byte 65: not MessagePack: msgp"},
		{"an array of 4 billion", "\xdd\xff\xff\xff\xff" + string(good), nil, "byte 37: not MessagePack: msgp"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			parsed, err := all.Parse(format.MediaMessagePack, []byte(tt.body))
			wantPermanent(t, err, tt.err)
			if len(parsed) != len(tt.want) {
				t.Fatalf("%d changes, want %d", len(parsed), len(tt.want))
			}
			for i, want := range tt.want {
				wantPermanent(t, parsed[i].Err, want)
				if err := parsed[i].Err; err != nil && strings.Contains(err.Error(), "secret") {
					t.Errorf("the error quotes the data: %v", err)
				}
				if want == "" && (string(parsed[i].Data) != string(good) || tt.body[parsed[i].Offset:][:len(good)] != string(good)) {
					t.Errorf("change %d: % x at byte %d", i, parsed[i].Data, parsed[i].Offset)
				}
			}
		})
	}
}

// XDR messages may come with or without their proto headers and ESP's byte, each in
// its own way.
func TestXDRVariants(t *testing.T) {
	var frames []xdr.Frame
	for i := range 3 {
		c := bin(change.IntegerValue(int64(i)))
		frame, err := xdr.AppendMessage(nil, &c, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, frame)
	}
	compressed, err := xdr.AppendCompressed(nil, frames[2])
	if err != nil {
		t.Fatal(err)
	}
	bare := func(i int) string { return string(frames[i][8:]) }
	framed := func(i int) string { return string(frames[i]) }
	const esp = "\x01"
	for name, body := range map[string]string{
		"bare": bare(0) + bare(1) + bare(2), "bare with ESP's byte": esp + bare(0) + esp + bare(1) + esp + bare(2), "bare, framed, bare": bare(0) + framed(1) + bare(2),
		"ESP's byte here and there": framed(0) + esp + bare(1) + framed(2), "with a compressed one": bare(0) + esp + framed(1) + esp + string(compressed),
	} {
		for _, mediaType := range []string{format.MediaXDR, format.MediaOctets} {
			parsed, err := all.Parse(mediaType, []byte(body))
			if err != nil || len(parsed) != 3 {
				t.Fatalf("%s: %d changes, %v", name, len(parsed), err)
			}
			for i, one := range parsed {
				want := []byte(frames[i])
				if i == 2 && strings.Contains(name, "compressed") {
					want = compressed
				}
				if diff := cmp.Diff(hex.EncodeToString(want), hex.EncodeToString(one.Data)); diff != "" || one.Err != nil || one.Change.Bins[0].Value.Integer() != int64(i) {
					t.Errorf("%s: message %d: %v (-want +got):\n%s", name, i, one.Err, diff)
				}
			}
		}
	}
	for end := 1; end < len(bare(0)); end++ {
		_, err := all.Parse(format.MediaXDR, []byte(framed(1)+bare(0)[:end]))
		wantPermanent(t, err, fmt.Sprintf("byte %d: xdr message: ", len(frames[1])))
	}
	for _, first := range []string{"\x00", "\x03", "{", "\x93", "\x17", "\xff"} {
		_, err := all.Parse(format.MediaXDR, []byte(framed(0)+first+"secret"))
		wantPermanent(t, err, fmt.Sprintf("byte %d: not an XDR message: it begins with 0x%02x, want 0x02 (with a proto header) or 0x16 (without)", len(frames[0]), first[0]))
	}
	unread := []byte(bare(0))
	unread[1] = 0 // no bit says XDR
	parsed, err := all.Parse(format.MediaXDR, append(unread, bare(1)...))
	if err != nil || len(parsed) != 2 || parsed[1].Err != nil {
		t.Fatalf("%v, %v: a bare message that makes no sense spoils its neighbour", parsed, err)
	}
	wantPermanent(t, parsed[0].Err, "byte 0: xdr message: not-xdr")
}
