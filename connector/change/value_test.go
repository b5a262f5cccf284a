package change_test

import (
	"bytes"
	"encoding/hex"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
)

func TestDigest_Partition(t *testing.T) {
	for _, tt := range []struct {
		digest string
		want   int
	}{
		{"5fe3", 0x35f}, // little-endian, and the upper four bits are dropped
		{"ffff", 4095},
		{"0000", 0},
		{"0010", 0},
		{"0001", 256},
	} {
		var d change.Digest
		if _, err := hex.Decode(d[:], []byte(tt.digest)); err != nil {
			t.Fatal(err)
		}
		if got := d.Partition(); got != tt.want {
			t.Errorf("partition of digest %s… = %d, want %d", tt.digest, got, tt.want)
		}
	}
}

func TestUnsignedValue(t *testing.T) {
	if v := change.UnsignedValue(math.MaxInt64); v.Kind() != change.KindInteger || v.Integer() != math.MaxInt64 {
		t.Errorf("the largest int64 is %s %d", v.Kind(), v.Integer())
	}
	if v := change.UnsignedValue(1 << 63); v.Kind() != change.KindUnsigned || v.Unsigned() != 1<<63 {
		t.Errorf("2^63 is %s %d", v.Kind(), v.Unsigned())
	}
}

func TestGeoJSONParticle(t *testing.T) {
	text := `{"type":"Point","coordinates":[0,0]}`
	for _, tt := range []struct{ name, header, err string }{
		{"no cells", "000000", ""},
		{"one cell", "0000013c9c1e5f2d7ba3c5", ""},
		{"header cut", "0000", "the header alone has 3"},
		{"cells cut", "01ffff", "its cells end at 524283"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, _ := hex.DecodeString(tt.header)
			if tt.err == "" {
				b = append(b, text...)
			}
			v, err := change.GeoJSONParticle(b)
			if tt.err != "" {
				wantError(t, err, tt.err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := string(v.Bytes()); got != text {
				t.Errorf("text %q, want %q", got, text)
			}
			if particle, ok := v.GeoJSONParticle(); !ok || !bytes.Equal(particle, b) {
				t.Errorf("particle %x %t, want %x", particle, ok, b)
			}
		})
	}
	if _, ok := change.GeoJSONValue([]byte(text)).GeoJSONParticle(); ok {
		t.Error("a value made of text has a particle")
	}
}

func TestCollection_invalid(t *testing.T) {
	deep := strings.Repeat("91", change.MaxDepth)
	for _, tt := range []struct{ name, packed, err string }{
		{"empty input", "", "unexpected end"},
		{"element missing", "9201", "unexpected end"},
		{"length beyond the input", "ddffffffff", "unexpected end"},
		{"map length beyond the input", "dfffffffff", "unexpected end"},
		{"length cut", "dc00", "unexpected end"},
		{"number cut", "91cf00", "unexpected end"},
		{"string cut", "91a303", "unexpected end"},
		{"extension cut", "91c70501", "unexpected end"},
		{"fixed extension cut", "91d801", "unexpected end"},
		{"marker cut", "92c700", "unexpected end"},
		{"map marker without its nil", "81c70001", "unexpected end"},
		{"map marker beside a number", "82c7000105a1030501", "kind integer after the order of a map"},
		{"not a list", "05", "kind integer, want list"},
		{"a map", "80", "kind map, want list"},
		{"bytes after the end", "9001", "ends at byte 1 of 2"},
		{"unused first byte", "91c1", "invalid first byte 0xc1"},
		{"map in a string", "91a11300", "kind map in a string"},
		{"too deep", deep + "90", "nest deeper than 256"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			packed, err := hex.DecodeString(tt.packed)
			if err != nil {
				t.Fatal(err)
			}
			_, err = change.ListValue(packed)
			wantError(t, err, tt.err)
			if strings.HasPrefix(tt.packed, "8") {
				_, err = change.MapValue(packed)
				if tt.packed != "80" {
					wantError(t, err, tt.err)
				}
			}
		})
	}
	packed, _ := hex.DecodeString(deep[:len(deep)-2] + "90")
	if _, err := change.ListValue(packed); err != nil {
		t.Errorf("depth %d: %v", change.MaxDepth, err)
	}
}

// Encodings of elements that are in no capture.
func TestListValue_elements(t *testing.T) {
	for _, tt := range []struct{ name, packed, want string }{
		{"unsigned", "91cfffffffffffffffff", `[18446744073709551615]`},
		{"signed of every size", "94d0ffd1fffed2fffffffdd3fffffffffffffffc", `[-1, -2, -3, -4]`},
		{"float of 32 bits", "91ca3fc00000", `[1.5]`},
		{"string in a binary header", "91c4020361", `["a"]`},
		{"string header of no bytes", "91a0", `[""]`},
		{"blob", "91a304dead", `[{"$blob": "dead"}]`},
		{"particle without a name", "91a31fdead", `[{"$particle 31": "dead"}]`},
		{"extension that is not a marker", "9201d4ff00", `[1, {"$opaque": "d4ff00"}]`},
		{"ordered", "93c700010102", `{"$list": [1, 2], "$order": 1}`},
		{"ordered and empty", "91c70001", `{"$list": [], "$order": 1}`},
		{"marker with an index that was not stripped", "92c702010a0b05", `{"$list": [5], "$order": 1}`},
		{"nested marker", "9292c700010501", `[{"$list": [5], "$order": 1}, 1]`},
		{"key-value-ordered map inside", "9182c70003c0a2036105", `[{"$map": [["a", 5]], "$order": 3}]`},
		{"map of maps", "9181a20361810102", `[{"$map": [["a", {"$map": [[1, 2]]}]]}]`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			packed, err := hex.DecodeString(tt.packed)
			if err != nil {
				t.Fatal(err)
			}
			v, err := change.ListValue(packed)
			if err != nil {
				t.Fatal(err)
			}
			want, err := changetest.Parse([]byte(`{"op": "write", "namespace": "n", "digest": "` + strings.Repeat("00", 20) +
				`", "bins": [{"name": "b", "kind": "list", "value": ` + tt.want + `}]}`))
			if err != nil {
				t.Fatal(err)
			}
			got := change.Change{Namespace: "n", Bins: []change.Bin{{Name: "b", Value: v}}}
			if diff := cmp.Diff(string(changetest.Describe(&want)), string(changetest.Describe(&got))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestValue_Depth(t *testing.T) {
	for digits, want := range map[string]int{
		"90": 1, "9101": 1, "9190": 2, "93900190": 2, "9291c00181": 0, "92919190c0": 4,
		"8101a20361": 1, "81900190": 0, "8101919190": 4, "81919001": 3, "92c7000190": 2,
		strings.Repeat("91", 255) + "90": 256,
	} {
		packed, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatal(err)
		}
		v, err := change.ListValue(packed)
		if packed[0] < 0x90 {
			v, err = change.MapValue(packed)
		}
		if got := v.Depth(); got != want || (err != nil) != (want == 0) {
			t.Errorf("%.20s nests %d deep, want %d: %v", digits, got, want, err)
		}
	}
	if got := change.StringValue([]byte("s")).Depth(); got != 0 {
		t.Errorf("a string nests %d deep", got)
	}
}

func TestDescribe_roundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := changetest.Arbitrary{}.Change(t)
		text := changetest.Describe(&c)
		again, err := changetest.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(text), string(changetest.Describe(&again))); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

// A collection that is read element by element and packed again has the same bytes.
func TestPacker_roundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := changetest.Arbitrary{}.Value(t)
		if !v.Kind().IsCollection() {
			return
		}
		again := repack(t, v)
		if !bytes.Equal(v.Packed(), again.Packed()) {
			t.Fatalf("packed % x, packed again % x", v.Packed(), again.Packed())
		}
	})
}

// Long collections have the shortest headers too, also when they are nested.
func TestPacker_longCollections(t *testing.T) {
	var p change.Packer
	var want []byte
	p.Open(change.KindList, change.Unordered)
	for _, size := range []int{0, 20, 60, 70, 300, 70_000} {
		var list change.Packer
		list.Open(change.KindList, change.Unordered)
		for range size {
			list.Add(change.IntegerValue(1))
		}
		list.Close()
		v, err := list.Value(change.KindList)
		if err != nil {
			t.Fatal(err)
		}
		p.Open(change.KindList, change.Unordered)
		p.Open(change.KindMap, change.KeyOrdered)
		p.Add(change.IntegerValue(2))
		r := v.Elements()
		copyElement(&p, &r, v)
		p.Close()
		p.Close()
		want = append(append(want, 0x91, 0x82, 0xc7, 0, 1, 0xc0, 2), v.Packed()...)
	}
	p.Close()
	v, err := p.Value(change.KindList)
	if want = append([]byte{0x96}, want...); err != nil || !bytes.Equal(v.Packed(), want) {
		t.Errorf("%d bytes, %v; want %d", len(v.Packed()), err, len(want))
	}
}

// BenchmarkPackerDepth shows that the time to pack depends on the length, not on the depth.
func BenchmarkPackerDepth(b *testing.B) {
	content := change.BytesValue(change.KindBlob, make([]byte, 16<<20))
	for _, depth := range []int{1, change.MaxDepth} {
		b.Run(strconv.Itoa(depth), func(b *testing.B) {
			for b.Loop() {
				var p change.Packer
				for range depth {
					p.Open(change.KindList, change.Unordered)
				}
				p.Add(content)
				for range depth {
					p.Close()
				}
				if _, err := p.Value(change.KindList); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func FuzzReader(f *testing.F) {
	for _, seed := range []string{
		"9a01ffcd012cd38000000000000000a70368c3a96c6c6fa304deadcb4004000000000000c3c09205d925177b2274797065223a22506f696e74222c22636f6f7264696e61746573223a5b312c325d7d",
		"94c70001010203", "83a203610102a40374776fa40401020391c2", "83c70001c0a3036b310aa3036b32cbbff0000000000000", "ddffffffff",
	} {
		packed, err := hex.DecodeString(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packed)
	}
	f.Fuzz(func(t *testing.T, packed []byte) {
		for _, parse := range []func([]byte) (change.Value, error){change.ListValue, change.MapValue} {
			v, err := parse(packed)
			if err != nil {
				continue
			}
			again := repack(t, v)
			if a, b := repack(t, again), again; !bytes.Equal(a.Packed(), b.Packed()) {
				t.Fatalf("packed once % x, twice % x", b.Packed(), a.Packed())
			}
		}
	})
}

// fataler is a *testing.T or a *rapid.T.
type fataler interface{ Fatalf(string, ...any) }

// repack reads a collection and packs it again.
func repack(t fataler, v change.Value) change.Value {
	var p change.Packer
	r := v.Elements()
	copyElement(&p, &r, v)
	again, err := p.Value(v.Kind())
	if err != nil {
		t.Fatalf("pack the elements of % x: %v", v.Packed(), err)
	}
	return again
}

func copyElement(p *change.Packer, r *change.Reader, v change.Value) {
	if !v.Kind().IsCollection() {
		p.Add(v)
		return
	}
	n := v.Len()
	if v.Kind() == change.KindMap {
		n *= 2
	}
	p.Open(v.Kind(), v.Order())
	for range n {
		copyElement(p, r, r.Next())
	}
	p.Close()
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want one that says %q", err, want)
	}
}
