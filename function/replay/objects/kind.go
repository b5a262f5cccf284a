package objects

import (
	"path"
	"strings"
)

// Kinds of objects that hold changes: the extension of the name.
const (
	kindLines   = ".ndjson"
	kindAvro    = ".avro"
	kindParquet = ".parquet"
)

// HoldsChanges reports whether the object of that name is of a kind that holds changes.
func HoldsChanges(name string) bool { return kindOf(name) != "" }

// kindOf returns the kind of the object of that name, or "" if it holds no changes.
func kindOf(name string) string {
	for _, compression := range []string{".gz", ".zst"} {
		name = strings.TrimSuffix(name, compression)
	}
	switch kind := path.Ext(name); kind {
	case kindLines, kindAvro, kindParquet:
		return kind
	}
	return ""
}
