package row

import (
	"bytes"
	_ "embed" // the schema
	"encoding/json"
	"fmt"
	"strconv"
)

//go:embed schema.avsc
var schemaText []byte

// Schema is the Avro schema of a row. The columns of Parquet have the same names and
// types; a map is a map, and a timestamp one in milliseconds, UTC. The columns ns and
// set_name are not called namespace and set, as those of a hive path are, since BigQuery
// refuses files that repeat a column of their path.
//
// A release changes the schema only by adding columns that may be null; anything else
// is a new Version.
var Schema = compact(schemaText)

// Version is the version of the schema. Files hold it in their metadata, as versionKey.
const Version = 1

const versionKey = "aerosink.schema.version"

func compact(text []byte) string {
	var line bytes.Buffer
	if err := json.Compact(&line, text); err != nil {
		panic("row: the schema is not JSON: " + err.Error())
	}
	return line.String()
}

// checkVersion finds out from a file's metadata whether this release can read it.
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
