package formats_test

import (
	"strings"
	"testing"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/formats"
)

// A format is known by its name, writes all of a change, and what it writes alone
// is read by the media type of the name.
func TestFormatsByName(t *testing.T) {
	c := bin(packed(t, change.KindMap, "810501")) // a key that is no string
	for _, name := range []string{"json", "flat-json", "message-pack", "xdr"} {
		f, err := formats.ByName(name, "metadata")
		if err != nil || f.Name() != name {
			t.Fatalf("%s: %v, %v", name, f, err)
		}
		record, err := f.Append(nil, &c)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := all.Parse(formats.MediaTypeOf(name), record)
		if err != nil || len(parsed) != 1 || parsed[0].Err != nil || parsed[0].Format != name {
			t.Errorf("%s: %v, %v", name, parsed, err)
		}
	}
	for _, name := range []string{"", "avro", "JSON", "parquet"} {
		if f, err := formats.ByName(name, "metadata"); err == nil || !strings.Contains(err.Error(), "want json, flat-json, message-pack or xdr") {
			t.Errorf("%q: %v, %v", name, f, err)
		}
	}
	if got := formats.MediaTypeOf("avro") + formats.MediaTypeOf("parquet"); got != format.MediaAvro {
		t.Errorf("media types %q", got)
	}
}
