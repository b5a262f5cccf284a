package format_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/format"
)

// A value of a text format comes back from its text.
func TestValueProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := changetest.Arbitrary{Text: true}.Value(t)
		switch v.Kind() {
		case change.KindBlob, change.KindHLL, change.KindGeoJSON: // JSON has none
			t.Skip()
		}
		text, err := format.AppendValue([]byte("x"), v)
		if err != nil {
			t.Fatal(err)
		}
		order := change.Unordered
		if v.Kind().IsCollection() {
			order = v.Order()
		}
		got, err := format.ParseValue(text[1:], order)
		if err != nil {
			t.Fatal(err)
		}
		want, have := change.Change{Bins: []change.Bin{{Value: v}}}, change.Change{Bins: []change.Bin{{Value: got}}}
		if diff := cmp.Diff(string(changetest.Describe(&want)), string(changetest.Describe(&have))); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestValueFaults(t *testing.T) {
	for _, text := range []string{"", " ", "[", "[1]x", "1 2", "\"\xff\"", "18446744073709551616"} {
		if v, err := format.ParseValue([]byte(text), change.Unordered); !change.IsPermanent(err) {
			t.Errorf("%q: %s, error %v", text, v.Kind(), err)
		}
	}
	before := []byte("x")
	after, err := format.AppendValue(before, change.GeoJSONValue([]byte("{")))
	if !change.IsPermanent(err) || string(after) != "x" {
		t.Errorf("%q, error %v of GeoJSON that is none", after, err)
	}
}
