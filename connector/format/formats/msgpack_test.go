package formats_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	vmihailenco "github.com/vmihailenco/msgpack/v5"
	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/formats"
	"github.com/aerosink/aerosink/connector/format/msgpack"
)

var packs = msgpack.Format{}

// Values with their particle types, as in the documentation.
func TestMessagePackAppend_values(t *testing.T) {
	list := func(digits string) change.Value { return packed(t, change.KindList, digits) }
	mapping := func(digits string) change.Value { return packed(t, change.KindMap, digits) }
	for _, tt := range []struct {
		name  string
		value change.Value
		want  string // type, flags and value
	}{
		{"deleted", change.Value{}, "00 00 c0"},
		{"integer", change.IntegerValue(-7), "01 00 f9"},
		{"smallest integer", change.IntegerValue(math.MinInt64), "01 00 d38000000000000000"},
		{"largest integer", change.IntegerValue(math.MaxInt64), "01 00 d37fffffffffffffff"},
		{"double", change.DoubleValue(2), "02 00 cb4000000000000000"},
		{"not a number", change.DoubleValue(math.NaN()), "02 00 cb7ff8000000000001"},
		{"string", change.StringValue([]byte("é")), "03 00 a2c3a9"},
		{"string that is not UTF-8", change.StringValue([]byte{0xff}), "03 00 a1ff"},
		{"blob", change.BytesValue(change.KindBlob, []byte{1}), "04 00 c40101"},
		{"blob of Java", change.BytesValue(change.KindJavaBlob, []byte{1}), "07 00 c40101"},
		{"bool", change.BoolValue(true), "11 00 c3"},
		{"hll", change.BytesValue(change.KindHLL, []byte{1}), "12 00 c40101"},
		{"particle of an unknown type", change.BytesValue(200, []byte{1}), "d100c8 00 c40101"},
		{"geojson", change.GeoJSONValue([]byte(`{}`)), "17 00 a27b7d"},
		{"list", list("9301a20361c0"), "14 00 9301a161c0"},
		{"ordered list", list("92c7000102"), "14 01 9102"},
		{"map", mapping("820501a2036102"), "13 00 820501a16102"},
		{"key-ordered map", mapping("82c70001c0a2036101"), "13 01 81a16101"},
		{"key-value-ordered map", mapping("82c70003c0a2036101"), "13 03 81a16101"},
		{"map with a list for a key", mapping("8191c202"), "13 00 8191c202"},
		{"blob in a list", list("91a304dead"), "14 00 91c402dead"},
		{"blob of Java in a list", list("91a307dead"), "14 00 91d507dead"},
		{"hll of 3 bytes in a list", list("91a412dead00"), "14 00 91c70312dead00"},
		{"geojson in a list", list("91a3177b7d"), "14 00 91d5177b7d"},
		{"an extension that is not a marker", list("9201d4ff00"), "14 00 9201d4ff00"},
		{"unsigned in a list", list("91cfffffffffffffffff"), "14 00 91cfffffffffffffffff"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := bin(tt.value)
			got, err := packs.Append([]byte("before"), &c)
			if err != nil {
				t.Fatal(err)
			}
			want := "94a162" + strings.ReplaceAll(tt.want, " ", "")
			if digits := hex.EncodeToString(got); !strings.HasPrefix(digits, hex.EncodeToString([]byte("before"))) || !strings.HasSuffix(digits, want) {
				t.Errorf("%s does not end in %s", digits, want)
			}
			body, mediaType := packs.Seal(got[len("before"):], 1)
			wantChanges(t, packs, all, mediaType, body, c)
		})
	}
}

func TestMessagePackAppend_metadata(t *testing.T) {
	digest := "c414" + "e1c8" + strings.Repeat("00", 18)
	for _, tt := range []struct {
		name string
		c    change.Change
		want string
	}{
		{
			"everything known",
			change.Change{Namespace: "n", Set: "s", Key: change.IntegerValue(-1), Generation: 7, LUT: 1, Expiry: 2},
			"93 01 01 95 94 a16e a173 " + digest + " ff 07 02 01 90",
		},
		{"never expires", change.Change{Namespace: "n", Key: change.DoubleValue(2)}, "93 01 01 95 94 a16e c0 " + digest + " cb4000000000000000 c0 00 c0 90"},
		{"nothing known", change.Change{Namespace: "n", Expiry: change.ExpiryUnknown}, "93 01 01 95 94 a16e c0 " + digest + " c0 c0 c0 c0 90"},
		{"delete", change.Change{Op: change.Delete, Namespace: "n", Set: "s"}, "93 01 02 92 94 a16e a173 " + digest + " c0 00"},
		{"durable delete", change.Change{Op: change.DurableDelete, Namespace: "n"}, "93 01 02 92 94 a16e c0 " + digest + " c0 01"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.c.Digest = change.Digest{0xe1, 0xc8}
			body, mediaType := several(t, packs, tt.c)
			if diff := cmp.Diff(strings.ReplaceAll(tt.want, " ", ""), hex.EncodeToString(body)); diff != "" || mediaType != "application/x-msgpack" {
				t.Errorf("%s (-want +got):\n%s", mediaType, diff)
			}
			wantChanges(t, packs, all, mediaType, body, tt.c)
			wantChanges(t, packs, all, "application/msgpack", body, tt.c)
		})
	}
}

// inMessagePack returns what the format preserves of c.
func inMessagePack(t *rapid.T, c change.Change) change.Change {
	c = withoutWire(c)
	if c.Op.IsDelete() {
		c.Generation, c.LUT = 0, 0
	}
	for i := range c.Bins {
		if v := &c.Bins[i].Value; v.Kind().IsCollection() {
			*v = repacked(t, *v, func(_ change.Value, depth int, order change.Order) change.Order {
				return map[bool]change.Order{true: order}[depth == 1]
			})
		}
	}
	return c
}

func TestMessagePack_roundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var want []change.Change
		for range rapid.IntRange(1, 4).Draw(t, "changes") {
			want = append(want, inMessagePack(t, changetest.Arbitrary{}.Change(t)))
		}
		body, mediaType := several(t, packs, want...)
		wantChanges(t, packs, all, mediaType, body, want...)
	})
}

// The vmihailenco library reads what we write.
func TestMessagePackAppend_readByVmihailenco(t *testing.T) {
	c := change.Change{
		Namespace: "n", Set: "s", Key: change.StringValue([]byte("k")), Generation: 7, LUT: 1735689600123, Expiry: change.ExpiryUnknown,
		Bins: []change.Bin{
			{Name: "i", Value: change.IntegerValue(math.MinInt64)}, {Name: "d", Value: change.DoubleValue(0.5)}, {Name: "blob", Value: change.BytesValue(change.KindHLL, []byte{1})},
			{Name: "l", Value: packed(t, change.KindList, "95c3c0a304dead81a20361cd012ccfffffffffffffffff")},
		},
	}
	body, _ := several(t, packs, c, change.Change{Op: change.DurableDelete, Namespace: "n"})
	dec := vmihailenco.NewDecoder(bytes.NewReader(body))
	var got []any
	for range 2 {
		x, err := dec.DecodeInterface()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, x)
	}
	digest := make([]byte, 20)
	want := []any{
		[]any{1, 1, []any{
			[]any{"n", "s", digest, "k"}, 7, nil, 1735689600123,
			[]any{
				[]any{"i", 1, 0, int64(math.MinInt64)}, []any{"d", 2, 0, 0.5}, []any{"blob", 18, 0, []byte{1}},
				[]any{"l", 20, 0, []any{true, nil, []byte{0xde, 0xad}, map[string]any{"a": 300}, uint64(math.MaxUint64)}},
			},
		}},
		[]any{1, 2, []any{[]any{"n", nil, digest, nil}, 1}},
	}
	if diff := cmp.Diff(fmt.Sprint(want), fmt.Sprint(got)); diff != "" { // integers come in several types
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Errors of one change, and of the whole body.
func TestMessagePackParse_invalidChange(t *testing.T) {
	key := "94a16ec0c414" + strings.Repeat("00", 20) + "c0"
	write := func(bins string) string { return "93010195" + key + "c0c0c0" + bins }
	deep := strings.Repeat("91", 300) + "c0"
	for _, tt := range []struct{ name, digits, err string }{
		{"a map", "80", "byte 0: a change: msgp"},
		{"an array of two", "920102", "a change is an array of 2, not 3"},
		{"another version", "930201c0", "byte 2: the version is not 1"},
		{"version nil", "93c001c0", "the version is not 1"},
		{"another type", "930103c0", "neither a write nor a delete"},
		{"a type that is a string", "9301a6736563726574c0", `the type: msgp: attempted to decode type "str"`},
		{"a write of four", "93010194" + key + "c0c0c0", "a write is an array of 4, not 5"},
		{"a key of three", "9301029293a16ec0c0c0", "the key is an array of 3, not 4"},
		{"no namespace", "93010292" + strings.Replace(key, "a16e", "a0", 1) + "00", "the namespace is empty"},
		{"namespace nil", "93010292" + strings.Replace(key, "a16e", "c0", 1) + "00", "the namespace: msgp"},
		{"set that is a number", "93010292" + strings.Replace(key, "a16ec0", "a16e05", 1) + "00", "the set: msgp"},
		{"digest of one byte", "9301029294a16ec0c40100c000", "the digest has 1 byte, not 20"},
		{"digest that is a string", "9301029294a16ec0a100c000", "the digest: msgp"},
		{"user key that is a list", "93010292" + key[:len(key)-2] + "9000", "the user key is neither string, number nor bytes"},
		{"user key that is an extension", "93010292" + key[:len(key)-2] + "d4170000", "the user key is neither"},
		{"generation of 33 bits", "93010195" + key + "cf0000000100000000c0c090", "the generation is out of range"},
		{"last update time of 64 bits", "93010195" + key + "c0c0cfffffffffffffffff90", "the last update time: an integer of more than 63 bits"},
		{"bins that are a map", write("80"), "the bins: msgp"},
		{"a bin of three", write("9193a1620100"), "a bin is an array of 3, not 4"},
		{"a bin's type of 9 bits", write("9194a162cd01010001"), "a bin's type is not a particle type"},
		{"a string that says integer", write("9194a1620100a6736563726574"), "kind string, but its type says integer"},
		{"a list that says map", write("9194a162130090"), "kind list, but its type says map"},
		{"an integer that says blob", write("9194a162040001"), "kind integer, but its type says blob"},
		{"a blob that says string", write("9194a1620300c40101"), "kind blob, but its type says string"},
		{"deeper than can be", write("9194a1621400" + deep), "nest deeper than 256"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body, err := hex.DecodeString(strings.ReplaceAll(tt.digits, " ", ""))
			if err != nil {
				t.Fatal(err)
			}
			good := change.Change{Op: change.Delete, Namespace: "n"}
			after, _ := several(t, packs, good)
			parsed, err := all.Parse(format.MediaMessagePack, append(bytes.Clone(body), after...))
			if err != nil || len(parsed) != 2 || parsed[1].Err != nil || !bytes.Equal(parsed[0].Data, body) {
				t.Fatalf("%v, %v: the next change is affected", parsed, err)
			}
			wantPermanent(t, parsed[0].Err, tt.err)
			if strings.Contains(parsed[0].Err.Error(), "secret") {
				t.Errorf("the error quotes the data: %v", parsed[0].Err)
			}
		})
	}
	for _, digits := range []string{"c1", "ddffffffff", "dfffffffff01", "dbffffffff61", strings.Repeat("91", 200_000)} {
		body, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatal(err)
		}
		_, err = all.Parse(format.MediaMessagePack, body)
		wantPermanent(t, err, ": not MessagePack: msgp")
	}
}

func TestMessagePackParse_truncated(t *testing.T) {
	for _, p := range payloads(t) {
		if !strings.HasPrefix(p.Format, "message-pack") {
			continue
		}
		body := p.body(t)
		for end := 1; end < len(body); end++ {
			if _, err := all.Parse(p.ContentType, body[:end]); !change.IsPermanent(err) {
				t.Errorf("%s cut at byte %d: %v", p.File, end, err)
			}
		}
	}
}

// The bins of a message that exceeds the limit are not read.
func TestMessagePackParse_largeChange(t *testing.T) {
	c := bin(change.StringValue(make([]byte, 1000)))
	message, err := msgpack.Format{}.Append(nil, &c)
	if err != nil {
		t.Fatal(err)
	}
	message[len(message)-1003-2] = byte(change.KindDouble) // the bin's type, which the value does not fit
	for _, tt := range []struct {
		limit int
		err   string
	}{
		{len(message) - 1, "too large: a change of "},
		{len(message), "kind string, but its type says double"},
	} {
		p := formats.Parser{Limits: format.Limits{Change: tt.limit}}
		parsed, err := p.Parse(format.MediaMessagePack, slices.Concat(message, message))
		if err != nil || len(parsed) != 2 {
			t.Fatalf("%d changes, %v", len(parsed), err)
		}
		wantPermanent(t, parsed[1].Err, tt.err)
	}
}

func FuzzMessagePack(f *testing.F) {
	for _, p := range payloads(f) {
		if strings.HasPrefix(p.Format, "message-pack") {
			f.Add(p.body(f))
			f.Add(slices.Concat([]byte{0x92}, p.body(f), p.body(f)))
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, p := range sound(t, all, format.MediaMessagePack, body) {
			again, err := packs.Append(nil, &p.Change)
			if err != nil {
				t.Fatalf("parsed what cannot be written: %v", err)
			}
			wantChanges(t, packs, all, format.MediaMessagePack, again, p.Change)
		}
	})
}

// A change is an array that begins with its version; several changes may be in an array.
func TestMessagePackParse_arrays(t *testing.T) {
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
