package config

import (
	"maps"
	"os"
	"slices"

	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/avro"
	"github.com/aerosink/aerosink/connector/format/json"
	"github.com/aerosink/aerosink/connector/format/msgpack"
	"github.com/aerosink/aerosink/connector/format/raw"
)

// owners lists the modes in which a key of a format has a meaning.
var owners = map[string][]string{
	"stringify-map-keys": {"json", "flat-json", "avro"},
	"metadata-key":       {"flat-json", "avro"},
	"schema":             {"avro"},
	"schema-file":        {"avro"},
}

// readFormat reads format: json as well as format: {mode: json}.
func readFormat(s *section) format.Format {
	defer s.End()
	if s.IsOneOf("mode", "custom") {
		return custom(s)
	}
	mode := s.Word("mode", "", "json", "flat-json", "message-pack", "avro", "xdr")
	stringify := s.Bool("stringify-map-keys", true)
	key := s.Text("metadata-key", "")
	schema, path := s.Verbatim("schema", ""), s.file("schema-file")
	for _, k := range s.Keys {
		if of := owners[k]; mode != "" && of != nil && !slices.Contains(of, mode) {
			s.Error(k, "has no effect in mode %s; it belongs to %s", mode, of[0])
		}
	}
	switch mode {
	case "json":
		return json.Format{StringifyMapKeys: stringify}
	case "flat-json":
		if key == "" {
			s.Error("metadata-key", "missing; flat-json needs the name of the member that holds the metadata")
		}
		return json.Flat{MetadataKey: key, StringifyMapKeys: stringify}
	case "message-pack":
		return msgpack.Format{}
	case "avro":
		return newAvro(s, schema, path, stringify)
	case "":
		if !s.Has("mode") {
			s.Error("mode", "missing; write json, flat-json, message-pack, avro or xdr")
		}
	}
	return raw.Format{}
}

// custom reports the error about a format that is a Java class.
func custom(s *section) format.Format {
	s.Error("mode", "Java classes cannot be loaded; choose json, flat-json, message-pack, avro or xdr")
	for _, k := range slices.Concat([]string{"class", "batch-formatter-class", "params", "payload-format"}, slices.Collect(maps.Keys(owners))) {
		s.Node(k)
	}
	return raw.Format{}
}

// newAvro returns the Avro format with a schema, which is in the configuration or in the
// file at path.
func newAvro(s *section, schema, path string, stringify bool) format.Format {
	key := "schema"
	switch {
	case s.Has("schema") == s.Has("schema-file"):
		s.Error("schema", "needs either a schema or a schema-file")
		return raw.Format{}
	case s.Has("schema-file"):
		key = "schema-file"
		schema = readSchema(s, path)
	}
	s.CheckEmpty("metadata-key", "name it")
	f, err := avro.New(schema, s.Text("metadata-key", "metadata"), stringify)
	if err != nil && (path != "" || key == "schema") {
		s.Error(key, "%v", err)
	}
	if err != nil {
		return raw.Format{}
	}
	return f
}

func readSchema(s *section, path string) string {
	if path == "" {
		return ""
	}
	text, err := os.ReadFile(path)
	if err != nil {
		s.Error("schema-file", "%v", err)
	}
	return string(text)
}
