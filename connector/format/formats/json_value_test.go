package formats_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/format/json"
)

// A value that a text format can express is read back unchanged.
func TestJSONValue_roundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := changetest.Arbitrary{Text: true}.Value(t)
		switch v.Kind() {
		case change.KindBlob, change.KindHLL, change.KindGeoJSON: // JSON has none
			t.Skip()
		}
		text, err := json.AppendValue([]byte("x"), v)
		if err != nil {
			t.Fatal(err)
		}
		order := change.Unordered
		if v.Kind().IsCollection() {
			order = v.Order()
		}
		got, err := json.ParseValue(text[1:], order)
		if err != nil {
			t.Fatal(err)
		}
		want, have := change.Change{Bins: []change.Bin{{Value: v}}}, change.Change{Bins: []change.Bin{{Value: got}}}
		if diff := cmp.Diff(string(changetest.Describe(&want)), string(changetest.Describe(&have))); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestJSONParseValue_errors(t *testing.T) {
	for _, text := range []string{"", " ", "[", "[1]x", "1 2", "\"\xff\"", "18446744073709551616"} {
		if v, err := json.ParseValue([]byte(text), change.Unordered); !change.IsPermanent(err) {
			t.Errorf("%q: %s, error %v", text, v.Kind(), err)
		}
	}
	before := []byte("x")
	after, err := json.AppendValue(before, change.GeoJSONValue([]byte("{")))
	if !change.IsPermanent(err) || string(after) != "x" {
		t.Errorf("%q, error %v for invalid GeoJSON", after, err)
	}
}

func TestJSONAppendBins(t *testing.T) {
	one, two := change.Bin{Name: `a"`, Value: change.IntegerValue(1)}, change.Bin{Name: "b"}
	for name, tt := range map[string]struct {
		bins []change.Bin
		want string
	}{
		"none": {nil, `x{}`},
		"two":  {[]change.Bin{one, two}, `x{"a\"":1,"b":null}`},
	} {
		if got, err := json.AppendBins([]byte("x"), tt.bins); string(got) != tt.want || err != nil {
			t.Errorf("%s: %q, error %v, want %q", name, got, err, tt.want)
		}
	}
	two.Name = "\xff"
	if got, err := json.AppendBins([]byte("x"), []change.Bin{one, two}); !change.IsPermanent(err) || string(got) != "x" {
		t.Errorf("%q, error %v of a name that is not UTF-8", got, err)
	}
}

// Whatever a client stored as GeoJSON, what is written has 64-bit numbers and nests no
// deeper than 16.
func TestJSONAppendBins_geoJSON(t *testing.T) {
	nested := func(depth int) string {
		return `{"coordinates":` + strings.Repeat("[", depth-1) + strings.Repeat("]", depth-1) + "}"
	}
	for text, want := range map[string]string{
		"{\"type\": \"Point\",\n\"coordinates\": [-122.08369440000001234, 37.50]}": `{"type":"Point","coordinates":[-122.08369440000001,37.5]}`,
		`[1, 1.0, 1e2, -0.0, 18446744073709551615]`:                                `[1,1.0,100.0,-0.0,18446744073709551615]`,
		`[67.174118, 22.770092]`:                                                   `[67.17411800000001,22.770092000000002]`, // as BigQuery prints them
		`"\u00e9"`:                                                                 `"é"`,
		nested(16):                                                                 nested(16),
		nested(17):                                                                 "",
		nested(9999):                                                               "",
		`[1e400]`:                                                                  "",
		`[100000000000000000000]`:                                                  "",
		`"\ud800"`:                                                                 "",
	} {
		bins := []change.Bin{{Name: "geo", Value: change.GeoJSONValue([]byte(text))}}
		got, err := json.AppendBins(nil, bins)
		if want == "" {
			if !change.IsPermanent(err) || !strings.Contains(err.Error(), "bin geo: its GeoJSON nests deeper than 16") || len(err.Error()) > 200 {
				t.Errorf("%.40s: %.40s, error %v", text, got, err)
			}
		} else if string(got) != `{"geo":`+want+`}` || err != nil {
			t.Errorf("%.80s: %.80s, error %v", text, got, err)
		}
	}
}

// The string may overlap dst, with and without spare capacity.
func TestJSONAppendString_overlappingMemory(t *testing.T) {
	for _, spare := range []int{0, 64} {
		dst := append(make([]byte, 0, 5+spare), "x\"\\\xff\n"...)
		if got := json.AppendString(dst, dst[1:]); string(got) != "x\"\\\xff\n"+`"\"\\�\n"` {
			t.Errorf("with a spare capacity of %d: %q", spare, got)
		}
	}
}
