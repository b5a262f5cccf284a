package row

import (
	"bytes"
	_ "embed" // the schema
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

//go:embed schema.avsc
var schemaText []byte

// Schema is the Avro schema of a row. Parquet files have the same columns with the same
// types; timestamps are in milliseconds, UTC. The columns ns and set_name are not called
// namespace and set, as in Hive paths, because BigQuery refuses files with a column that is
// also in their path.
//
// A release may only add columns that may be null to the schema. Any other change needs a
// new Version.
var Schema = compact(schemaText)

// Version is the version of the schema. Files have it in their metadata, under versionKey.
const Version = 1

const versionKey = "aerosink.schema.version"

func compact(text []byte) string {
	var line bytes.Buffer
	if err := json.Compact(&line, text); err != nil {
		panic("row: the schema is not JSON: " + err.Error())
	}
	return line.String()
}

// checkVersion checks that this release can read a file, by the version in its metadata.
func checkVersion(version string) error {
	v, err := strconv.Atoi(version)
	switch {
	case err != nil:
		return fmt.Errorf("it has no metadata %s, so Aerosink has not written it", versionKey)
	case v > Version:
		return fmt.Errorf("its schema has version %d, this release reads up to %d; use a newer one", v, Version)
	}
	return nil
}

// withoutFields returns the schema of a record without the fields of these names.
func withoutFields(schema string, names ...string) string {
	var record map[string]any
	if err := json.Unmarshal([]byte(schema), &record); err != nil {
		panic("row: the schema is not JSON: " + err.Error())
	}
	fields, _ := record["fields"].([]any)
	record["fields"] = slices.DeleteFunc(fields, func(f any) bool {
		field, _ := f.(map[string]any)
		name, _ := field["name"].(string)
		return slices.Contains(names, name)
	})
	text, err := json.Marshal(record)
	if err != nil {
		panic("row: " + err.Error())
	}
	return string(text)
}
