package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/avro"
	"github.com/aerosink/aerosink/connector/format/json"
	"github.com/aerosink/aerosink/connector/format/msgpack"
	"github.com/aerosink/aerosink/connector/format/raw"
)

// The media types of requests are those that the formats return.
func TestSentTypes(t *testing.T) {
	container, err := avro.New(Schema, "metadata", true)
	if err != nil {
		t.Fatal(err)
	}
	c := change.Change{Namespace: "n", Mode: change.Replace, LUT: changetest.Receipt.UnixMilli()}
	for _, f := range []format.Format{json.Format{}, json.Flat{MetadataKey: "metadata"}, msgpack.Format{}, container, raw.Format{}} {
		record, err := f.Append(nil, &c)
		if err != nil {
			t.Fatalf("%s: %v", f.Name(), err)
		}
		_, one := f.Seal(record, 1)
		_, several := f.Seal(append(record, record...), 2)
		gotOne, gotSeveral := sentTypes(f)
		if diff := cmp.Diff([]string{one, several}, []string{gotOne, gotSeveral}); diff != "" {
			t.Errorf("%s (-of the format +got):\n%s", f.Name(), diff)
		}
	}
}

func TestFamily(t *testing.T) {
	for mediaType, want := range map[string]string{
		"application/json":                format.MediaJSON,
		"Application/JSON; charset=utf-8": format.MediaJSON,
		"text/json":                       format.MediaJSON,
		"application/vnd.elastic+json; compatible-with=8":    format.MediaJSON,
		"application/x-ndjson":                               format.MediaNDJSON,
		"application/ndjson":                                 format.MediaNDJSON,
		"application/jsonl":                                  format.MediaNDJSON,
		"application/x-jsonlines":                            format.MediaNDJSON,
		"application/vnd.elastic+x-ndjson;compatible-with=8": format.MediaNDJSON,
		"application/msgpack":                                format.MediaMessagePack,
		"application/x-msgpack":                              format.MediaMessagePack,
		"application/vnd.msgpack":                            format.MediaMessagePack,
		"application/avro":                                   format.MediaAvro,
		"application/x-avro":                                 format.MediaAvro,
		"avro/binary":                                        format.MediaAvro,
		"application/octet-stream":                           format.MediaOctets,
		"application/vnd.aerosink.xdr":                       format.MediaOctets,
		"application/json-seq":                               "",
		"text/plain":                                         "",
		"json":                                               "",
		"":                                                   "",
	} {
		got := ""
		if types := family(mediaType); len(types) > 0 {
			got = types[0]
		}
		if got != want {
			t.Errorf("%s: %q, want %q", mediaType, got, want)
		}
	}
}
