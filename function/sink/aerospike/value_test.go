package aerospike

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/devnode"
	"github.com/aerosink/aerosink/function/sink"
)

// packed returns the list or map of packed bytes in hexadecimal.
func packed(t testing.TB, digits string) change.Value {
	t.Helper()
	b, err := hex.DecodeString(digits)
	if err != nil {
		t.Fatal(err)
	}
	parse := change.ListValue
	if b[0]&0xf0 == 0x80 || b[0] == 0xde || b[0] == 0xdf {
		parse = change.MapValue
	}
	v, err := parse(b)
	if err != nil {
		t.Fatalf("%s: %v", digits, err)
	}
	return v
}

// Every kind that a client can write comes back with the same bytes.
func TestRecords_everyKind(t *testing.T) {
	n := node(t, devnode.Config{})
	s := open(t, n, "/test?mode=records", sink.Options{})
	nan := math.Float64frombits(0x7ff8dead00000001)
	values := map[string]change.Value{
		"integer": change.IntegerValue(-1), "least": change.IntegerValue(math.MinInt64), "double": change.DoubleValue(1.5), "nan": change.DoubleValue(nan),
		"minus zero": change.DoubleValue(math.Copysign(0, -1)), "infinite": change.DoubleValue(math.Inf(1)),
		"string": change.StringValue([]byte("é\x00")), "not UTF-8": change.StringValue([]byte{0xff}), "empty": change.StringValue(nil),
		"blob": change.BytesValue(change.KindBlob, []byte{0, 1}), "java": change.BytesValue(change.KindJavaBlob, []byte{1}), "csharp": change.BytesValue(change.KindCSharpBlob, []byte{1}),
		"python": change.BytesValue(change.KindPythonBlob, []byte{1}), "ruby": change.BytesValue(change.KindRubyBlob, []byte{1}), "php": change.BytesValue(change.KindPHPBlob, []byte{1}),
		"erlang": change.BytesValue(change.KindErlangBlob, []byte{1}), "true": change.BoolValue(true), "false": change.BoolValue(false),
		"list": packed(t, "9301a20361c0"), "ordered list": packed(t, "93c700010105"), "empty list": packed(t, "90"), "empty ordered": packed(t, "91c70001"),
		"map": packed(t, "8102a20361"), "ordered map": packed(t, "82c70001c00102"), "kv map": packed(t, "82c70003c00102"),
		"nested": packed(t, "9282c70001c0010292c700019101"), "geo in list": packed(t, "91d925177b2274797065223a22506f696e74222c22636f6f7264696e61746573223a5b312c325d7d"),
		"geo": change.GeoJSONValue([]byte(`{"type":"Point","coordinates":[1,2]}`)),
	}
	for name, v := range values {
		t.Run(name, func(t *testing.T) {
			c := set(written(1), func(c *change.Change) {
				c.Digest = change.Digest{1, 2, byte(len(name)), name[0], name[len(name)-1]}
				c.Bins = []change.Bin{{Name: "b", Value: v}}
			})
			store(t, s, c)
			got := n.Source().Get("test", c.Digest)
			if got == nil || len(got.Bins) != 1 {
				t.Fatalf("the record is %+v", got)
			}
			if w := got.Bins[0].Value; w.Kind() != v.Kind() || w.Integer() != v.Integer() && !v.Kind().IsCollection() && v.Kind() != change.KindGeoJSON || !bytes.Equal(w.Bytes(), v.Bytes()) {
				t.Errorf("%s %x comes back as %s %x", v.Kind(), v.Bytes(), w.Kind(), w.Bytes())
			}
		})
	}
}

// What cannot be written as it is becomes a dead letter, with a reason that has no values.
func TestRecords_refusedValues(t *testing.T) {
	n := node(t, devnode.Config{})
	s := open(t, n, "/test?mode=records", sink.Options{})
	opaque := packed(t, "9201d4ff00").Elements()
	opaque.Next()
	for name, tt := range map[string]struct {
		value change.Value
		want  string
	}{
		"unsigned":             {change.UnsignedValue(math.MaxUint64), "cannot write a bin of kind unsigned"},
		"opaque":               {opaque.Next(), "cannot write a bin of kind opaque"},
		"unknown particle":     {change.BytesValue(99, []byte("secret")), "cannot write a bin of kind particle 99"},
		"nil as map key":       {packed(t, "81c001"), "a map with a key that is a nil"},
		"bool as map key":      {packed(t, "81c301"), "a map with a key that is a bool"},
		"double as map key":    {packed(t, "81cb3ff000000000000001"), "a map with a key that is a double"},
		"list as map key":      {packed(t, "81900"+"1"), "a map with a key that is a list"},
		"map as map key":       {packed(t, "818001"), "a map with a key that is a map"},
		"nested in a list":     {packed(t, "92a2036181c001"), "a map with a key that is a nil"},
		"nested in a map":      {packed(t, "8201"+"a2036102"+"81c301"), "a map with a key that is a bool"},
		"not in order":         {packed(t, "93c700010501"), "the server refuses a list or map"},
		"no HLL":               {change.BytesValue(change.KindHLL, []byte("secret")), "code 4"},
		"no GeoJSON":           {change.GeoJSONValue([]byte("secret")), "code 160"},
		"wildcard in the list": {packed(t, "9201d4ff00"), "the server refuses a list or map"},
	} {
		t.Run(name, func(t *testing.T) {
			c := set(written(1), func(c *change.Change) { c.Bins = []change.Bin{{Name: "b", Value: tt.value}} })
			err := verdict(t, s, c)
			if !change.IsPermanent(err) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%v, want a permanent error that says %q", err, tt.want)
			}
			if got := n.Source().Get("test", c.Digest); got != nil && !got.Op.IsDelete() {
				t.Errorf("something was written: %+v", got)
			}
		})
	}
}

// A map's keys are found wherever the map is.
func TestUnfitKey(t *testing.T) {
	for digits, want := range map[string]string{
		"90": "", "80": "", "8101c0": "", "81a20361c0": "", "81a2046101": "", "82c70001c00102": "", "81cfffffffffffffffff01": "",
		"81c001": "nil", "918101919281c00105": "nil", "820181c30102c0": "bool", "8101818001": "map", "9390819001c0": "list",
		"9281010281c001": "nil", "83c70001c001020381c001": "nil",
	} {
		kind, ok := unfitKey(packed(t, digits))
		if got := map[bool]string{true: "", false: kind.String()}[ok]; got != want {
			t.Errorf("%s: %q, want %q", digits, got, want)
		}
	}
}

// Whatever XDR can carry is stored as it is, or refused for good.
func TestRecords_arbitrary(t *testing.T) {
	n := node(t, devnode.Config{})
	s := open(t, n, "/test?mode=records&versions=none", sink.Options{})
	stored, count := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		c := changetest.Arbitrary{}.Change(t)
		count++
		c.Namespace, c.Expiry, c.Digest = "test", 0, change.Digest{byte(count), byte(count >> 8), 5}
		verdicts := s.Put(t.Context(), batch(c))
		if verdicts != nil && verdicts[0] != nil {
			if !change.IsPermanent(verdicts[0]) {
				t.Fatal(verdicts[0])
			}
			return
		}
		stored++
		got := n.Source().Get("test", c.Digest)
		if want := expected(c); want == nil {
			if got != nil && !got.Op.IsDelete() {
				t.Fatalf("the record is %s", changetest.Describe(got))
			}
		} else if diff := cmp.Diff(sortedMaps(t, want), sortedMaps(t, asStored(got, want))); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
	if stored < count/4 {
		t.Errorf("only %d of %d changes were stored", stored, count)
	}
}

// sortedMaps describes c with the pairs of all maps in one order, since a server keeps unordered
// maps sorted by key.
func sortedMaps(t *rapid.T, c *change.Change) any {
	var description any
	decoder := json.NewDecoder(bytes.NewReader(changetest.Describe(c)))
	decoder.UseNumber()
	if err := decoder.Decode(&description); err != nil {
		t.Fatal(err)
	}
	sortMaps(description)
	return description
}

func sortMaps(v any) {
	switch v := v.(type) {
	case []any:
		for _, element := range v {
			sortMaps(element)
		}
	case map[string]any:
		for name, member := range v {
			sortMaps(member)
			if pairs, ok := member.([]any); ok && name == "$map" {
				slices.SortFunc(pairs, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
			}
		}
	}
}

// expected returns what is stored of c in a namespace without the record; nil is nothing.
func expected(c change.Change) *change.Change {
	var bins []change.Bin
	for _, b := range c.Bins {
		if b.Value.Kind() == change.KindNil {
			continue
		}
		b.LUT, b.SourceID = 0, 0
		if b.Value.Kind() == change.KindGeoJSON { // the node stores the text without cells
			b.Value, _ = change.GeoJSONParticle(append([]byte{0, 0, 0}, b.Value.Bytes()...))
		}
		bins = append(bins, b)
	}
	if c.Op.IsDelete() || len(bins) == 0 {
		return nil
	}
	return &change.Change{Namespace: c.Namespace, Set: c.Set, Digest: c.Digest, Key: c.Key, Bins: bins}
}

// asStored returns c without what a client cannot set, and with bins in the order of those
// of want.
func asStored(c, want *change.Change) *change.Change {
	if c == nil {
		return &change.Change{}
	}
	stored := &change.Change{Namespace: c.Namespace, Set: c.Set, Digest: c.Digest, Key: c.Key}
	for _, w := range want.Bins {
		for _, b := range c.Bins {
			if b.Name == w.Name {
				stored.Bins = append(stored.Bins, change.Bin{Name: b.Name, Value: b.Value})
			}
		}
	}
	if len(stored.Bins) != len(c.Bins) {
		return c
	}
	return stored
}
