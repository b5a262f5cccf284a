package formats_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/formats"
)

// A change with two bins of one name is an error in every format, whether its bins are
// asked for or not, and the others of its body are read.
func TestParser_duplicateBin(t *testing.T) {
	for _, count := range []int{2, 31, 32, 300} {
		good := change.Change{Namespace: "n"}
		for i := range count {
			good.Bins = append(good.Bins, change.Bin{Name: fmt.Sprint("bin", i), Value: change.IntegerValue(int64(i))})
		}
		bad := good
		bad.Bins = append(bad.Bins[:count:count], change.Bin{Name: "bin1", Value: change.Value{}})
		for name, r := range requests(t, good, bad, good) {
			for _, bins := range []bool{true, false} {
				t.Run(fmt.Sprintf("%d bins/%s/bins=%t", count, name, bins), func(t *testing.T) {
					parsed, err := formats.Parser{MetadataKey: "metadata", Bins: bins}.Parse(r.mediaType, []byte(r.body))
					if err != nil || len(parsed) != 3 {
						t.Fatalf("%d changes, %v", len(parsed), err)
					}
					want := `two bins are named "bin1"`
					if strings.HasPrefix(name, "flat-json") {
						want = "duplicate member"
					}
					wantPermanent(t, parsed[1].Err, want)
					if parsed[0].Err != nil || parsed[2].Err != nil || len(parsed[1].Data) == 0 || string(parsed[2].Data) != string(parsed[0].Data) {
						t.Errorf("%v, %v, %q", parsed[0].Err, parsed[2].Err, parsed[1].Data)
					}
				})
			}
		}
	}
}

// What is remembered of one change never hides a duplicate in another, nor makes one.
func TestParser_duplicateBinInStream(t *testing.T) {
	spelled := map[string][]string{"a": {`"a"`, `"\u0061"`}, "b": {`"b"`}, "c": {`"c"`}, `"`: {`"\""`, `"\u0022"`}, "": {`""`}}
	name := rapid.SampledFrom([]string{"a", "b", "c", `"`, ""})
	form := rapid.SampledFrom([]string{`{"name":%s,"type":"int","value":1}`, `{"name": %s, "value":"}]\"", "type":"str"}`, `{"type":"list","value":[{"name":"a"}],"name":%s}`})
	rapid.Check(t, func(t *rapid.T) {
		var body strings.Builder
		var want []bool
		for range rapid.IntRange(1, 10).Draw(t, "changes") {
			var bins []string
			seen, twice := map[string]bool{}, false
			for _, name := range rapid.SliceOfN(name, 0, 5).Draw(t, "names") {
				bins = append(bins, fmt.Sprintf(form.Draw(t, "form"), rapid.SampledFrom(spelled[name]).Draw(t, "spelling")))
				twice = twice || seen[name]
				seen[name] = true
			}
			want = append(want, twice)
			body.WriteString(`{"msg":"write","key":["n",null,"` + digest64 + `",null],"bins":[ ` + strings.Join(bins, " ,") + " ]}\n")
		}
		parsed, err := formats.Parser{Bins: rapid.Bool().Draw(t, "bins")}.Parse(format.MediaNDJSON, []byte(body.String()))
		if err != nil || len(parsed) != len(want) {
			t.Fatalf("%d changes, %v", len(parsed), err)
		}
		for i, twice := range want {
			if (parsed[i].Err != nil) != twice {
				t.Fatalf("change %d of\n%s%v", i, body.String(), parsed[i].Err)
			}
		}
	})
}

func TestParser_duplicateBinInEscapes(t *testing.T) {
	const prefix = `{"msg":"write","key":["n",null,"` + digest64 + `",null],"bins":[`
	bin := func(name string) string { return `{"name":` + name + `,"type":"int","value":1}` }
	for _, tt := range []struct{ first, second, err string }{
		{`"a"`, `"\u0061"`, `two bins are named "a"`},
		{`"\u0061"`, `"a"`, `two bins are named "a"`},
		{`"a"`, `"\\u0061"`, ""},
		{`"` + strings.Repeat("a", 1000) + `"`, `"` + strings.Repeat("a", 1000) + `"`, `two bins are named "` + strings.Repeat("a", 40) + `"`},
	} {
		body := prefix + bin(tt.first) + "," + bin(tt.second) + "]}"
		for _, bins := range []bool{true, false} {
			parsed, err := formats.Parser{Bins: bins}.Parse(format.MediaJSON, []byte(body))
			if err != nil {
				t.Fatal(err)
			}
			wantPermanent(t, parsed[0].Err, tt.err)
			if tt.err != "" && strings.Contains(parsed[0].Err.Error(), strings.Repeat("a", 41)) {
				t.Errorf("the error has the whole name: %v", parsed[0].Err)
			}
		}
	}
}
