package config

import (
	"testing"

	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/avro"
	"github.com/aerosink/aerosink/connector/format/json"
	"github.com/aerosink/aerosink/connector/format/msgpack"
	"github.com/aerosink/aerosink/connector/format/raw"
)

func TestSentTypes(t *testing.T) {
	container, err := avro.New(Schema, "metadata", true)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		format       format.Format
		one, several string
	}{
		{json.Format{}, format.MediaJSON, format.MediaNDJSON},
		{json.Flat{MetadataKey: "metadata"}, format.MediaJSON, format.MediaNDJSON},
		{msgpack.Format{}, format.MediaMessagePack, format.MediaMessagePack},
		{container, format.MediaAvro, format.MediaAvro},
		{raw.Format{}, format.MediaOctets, format.MediaXDR},
	} {
		if one, several := sentTypes(tt.format); one != tt.one || several != tt.several {
			t.Errorf("%s: %s and %s, want %s and %s", tt.format.Name(), one, several, tt.one, tt.several)
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
