package main

import (
	"math"
	"strings"
	"testing"

	as "github.com/aerospike/aerospike-client-go/v7"
	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/function/pipeline"
)

func TestParseBin(t *testing.T) {
	for _, tt := range []struct {
		arg  string
		want any
	}{
		{"b=27", int64(27)},
		{"b=-9223372036854775808", int64(math.MinInt64)},
		{"b=2.5", 2.5},
		{"b=1e3", 1000.0},
		{"b=1.0", 1.0},
		{"b=true", true},
		{"b=false", false},
		{"b=null", nil},
		{`b="27"`, "27"},
		{`b="a\n\u00e9"`, "a\né"},
		{"b=Joe", "Joe"},
		{"b=Joe Doe, 3 = 4", "Joe Doe, 3 = 4"},
		{"b=", ""},
		{`b=""`, ""},
		{"b=True", "True"},
		{"b=007", "007"},
		{"b=+1", "+1"},
		{"b=0x10", "0x10"},
		{"b=27 apples", "27 apples"},
		{"b=http://a/?x=[1]", "http://a/?x=[1]"},
	} {
		bin, err := parseBin(tt.arg)
		if err != nil || bin.Name != "b" || bin.Value.GetObject() != as.NewValue(tt.want).GetObject() {
			t.Errorf("%s: %#v, error %v, want %#v", tt.arg, bin, err, tt.want)
		}
	}
	for arg, want := range map[string][]byte{
		`b=[1,"a",null]`:  {0x93, 1, 0xa2, 3, 'a', 0xc0},
		`b={"a":{"b":2}}`: {0x81, 0xa2, 3, 'a', 0x81, 0xa2, 3, 'b', 2},
		`b=[]`:            {0x90},
	} {
		bin, err := parseBin(arg)
		if raw, ok := bin.Value.(*as.RawBlobValue); err != nil || !ok || string(raw.Data) != string(want) {
			t.Errorf("%s: %#v, error %v", arg, bin, err)
		}
	}
}

func TestParseBin_errors(t *testing.T) {
	for arg, want := range map[string]string{
		"secret":                    "an argument is not NAME=VALUE",
		"=secret":                   `bin "": the name has 0 bytes; it must have 1 to 15`,
		"sixteen-bytes-16=secret":   "the name has 16 bytes; it must have 1 to 15",
		"b=[secret":                 "the value begins with [ but is not JSON",
		"b={secret}":                "the value begins with { but is not JSON",
		`b={"secret":1,"secret":2}`: "the value begins with { but is not JSON",
		`b="secret`:                 `the value begins with " but is not JSON`,
		"b=9223372036854775808":     "a number does not fit into 64 bits",
	} {
		_, err := parseBin(arg)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: error %v, want one that says %q and not the value", arg, err, want)
		}
	}
}

// What get and the one-line form print for a value, put takes for the same value.
func TestBinText_isWhatPutTakes(t *testing.T) {
	value := rapid.OneOf(
		rapid.Just[any](nil), rapid.Map(rapid.Int64(), func(v int64) any { return v }), rapid.Map(rapid.Bool(), func(v bool) any { return v }),
		rapid.Map(rapid.Float64(), func(v float64) any { return v }), rapid.Map(rapid.String(), func(v string) any { return v }),
		rapid.Map(rapid.SampledFrom([]string{"", "null", "27", "-1.5", "true", `"x"`, "[", "{}", "a b", "a\tb", "Joe", "x=y", "\x1b[31m", "1e5"}), func(v string) any { return v }),
	)
	rapid.Check(t, func(t *rapid.T) {
		want := value.Draw(t, "value")
		text, err := jsonText(want)
		if err != nil {
			t.Fatal(err)
		}
		bin, err := parseBin(pipeline.BinText("b", text))
		if err != nil {
			t.Fatal(err)
		}
		got := bin.Value.GetObject()
		if f, ok := want.(float64); ok && f == math.Trunc(f) { // JSON writes 1.0 as 1
			if n, ok := got.(int64); ok {
				got = float64(n)
			} else if n, ok := got.(int); ok {
				got = float64(n)
			}
		}
		if n, ok := want.(int64); ok {
			if g, ok := got.(int); ok {
				got = int64(g)
			}
			want = n
		}
		if got != want {
			t.Fatalf("%s: %#v, want %#v", pipeline.BinText("b", text), got, want)
		}
	})
}

// The values of every kind that a client reads have a form in JSON.
func TestJSONText(t *testing.T) {
	for _, tt := range []struct {
		value any
		want  string
	}{
		{map[any]any{"b": 1, 2: []any{nil, true, "<&>"}}, `{"2":[null,true,"<&>"],"b":1}`},
		{[]as.MapPair{{Key: "a", Value: []byte{1, 2}}}, `{"a":"AQI="}`},
		{as.GeoJSONValue(`{"type":"Point"}`), `{"type":"Point"}`},
		{as.GeoJSONValue(`{`), `"{"`},
		{as.HLLValue{1, 2}, `"AQI="`},
		{math.NaN(), `"NaN"`},
		{[]any{math.Inf(1)}, `["+Inf"]`},
	} {
		if got, err := jsonText(tt.value); err != nil || string(got) != tt.want {
			t.Errorf("%v: %s, error %v, want %s", tt.value, got, err, tt.want)
		}
	}
}
