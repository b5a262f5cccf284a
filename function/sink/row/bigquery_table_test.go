package row_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	jsonformat "github.com/aerosink/aerosink/connector/format/json"
)

// column is a column of the table that receives the messages for BigQuery.
type column struct{ Name, Type, Mode, Description string }

// tableColumns returns the columns by name, from the file that Terraform creates the table
// with.
func tableColumns(t testing.TB) map[string]column {
	t.Helper()
	text, err := os.ReadFile(changetest.Testdata(t, "..", filepath.FromSlash("terraform/schemas/changes.bigquery.json")))
	if err != nil {
		t.Fatal(err)
	}
	var listed []column
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&listed); err != nil {
		t.Fatal(err)
	}
	columns := map[string]column{}
	for _, c := range listed {
		columns[c.Name] = c
	}
	return columns
}

// table is a model of a BigQuery table. It accepts messages as a BigQuery subscription does
// that uses the table's schema and drops no fields, and applies them to rows as BigQuery
// does.
type table struct {
	columns map[string]column
	rows    map[string]tableRow // by the primary key
}

// tableRow is a row after its latest change; values is nil if that was a delete.
type tableRow struct {
	sequence []uint64
	values   map[string]any
}

func newTable(columns map[string]column) *table { return &table{columns, map[string]tableRow{}} }

// apply applies one message.
func (it *table) apply(t rapid.TB, message []byte) {
	t.Helper()
	fields := map[string]any{}
	decoder := json.NewDecoder(bytes.NewReader(message))
	decoder.UseNumber()
	if err := decoder.Decode(&fields); err != nil || decoder.More() {
		t.Fatalf("%s is not one JSON object: %v", message, err)
	}
	what, _ := fields["_CHANGE_TYPE"].(string)
	sequence := sequenceOf(t, fields["_CHANGE_SEQUENCE_NUMBER"])
	delete(fields, "_CHANGE_TYPE")
	delete(fields, "_CHANGE_SEQUENCE_NUMBER")
	values := it.convert(t, fields)
	if what != "UPSERT" {
		if values = nil; what != "DELETE" {
			t.Fatalf("a change of type %q", what)
		}
	}
	key, _ := fields["ns"].(string)
	digest, _ := fields["digest"].(string)
	key += "/" + digest
	if have, ok := it.rows[key]; !ok || slices.Compare(have.sequence, sequence) <= 0 {
		it.rows[key] = tableRow{sequence, values}
	}
}

// convert converts the fields of a message to columns.
func (it *table) convert(t rapid.TB, fields map[string]any) map[string]any {
	t.Helper()
	values := map[string]any{}
	for name, field := range fields {
		c, ok := it.columns[name]
		if !ok {
			t.Fatalf("the table has no column %s", name)
		}
		if values[name], ok = c.value(field); !ok {
			t.Fatalf("column %s is of type %s, but the field is %v", name, c.Type, field)
		}
	}
	for name, c := range it.columns {
		if _, ok := fields[name]; c.Mode == "REQUIRED" && !ok {
			t.Fatalf("no field for the required column %s", name)
		}
	}
	return values
}

// value converts a field to the type of the column, as Pub/Sub documents it.
func (c column) value(field any) (any, bool) {
	text, isText := field.(string)
	switch c.Type {
	case "STRING":
		return text, isText
	case "TIMESTAMP":
		at, err := time.Parse("2006-01-02T15:04:05.999Z", text)
		return at, isText && err == nil
	case "JSON":
		var value any
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		err := decoder.Decode(&value)
		return doublesByValue(value), isText && err == nil
	case "BOOLEAN":
		b, ok := field.(bool)
		return b, ok
	case "INTEGER":
		n, ok := field.(json.Number)
		i, err := strconv.ParseInt(n.String(), 10, 64)
		return i, ok && err == nil
	}
	return nil, false
}

// doublesByValue replaces the doubles in a value of JSON by their shortest text, since BigQuery
// and Go may print the same double with different last digits.
func doublesByValue(value any) any {
	switch v := value.(type) {
	case []any:
		for i, element := range v {
			v[i] = doublesByValue(element)
		}
	case map[string]any:
		for name, member := range v {
			v[name] = doublesByValue(member)
		}
	case json.Number:
		if f, err := v.Float64(); err == nil && strings.ContainsAny(v.String(), ".eE") {
			return json.Number(strconv.FormatFloat(f, 'g', -1, 64))
		}
	}
	return value
}

var sequenceNumber = regexp.MustCompile(`^[0-9a-fA-F]{1,16}(/[0-9a-fA-F]{1,16}){0,3}$`)

// sequenceOf returns the sections of a sequence number, which BigQuery compares as numbers,
// one after the other.
func sequenceOf(t rapid.TB, field any) []uint64 {
	t.Helper()
	text, _ := field.(string)
	if !sequenceNumber.MatchString(text) {
		t.Fatalf("sequence number %q", text)
	}
	var sections []uint64
	for section := range strings.SplitSeq(text, "/") {
		number, err := strconv.ParseUint(section, 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		sections = append(sections, number)
	}
	return sections
}

// read returns the rows by primary key.
func (it *table) read() map[string]map[string]any {
	rows := map[string]map[string]any{}
	for key, r := range it.rows {
		if r.values != nil {
			rows[key] = r.values
		}
	}
	return rows
}

// rowOf returns the row that the table should have for a record after the write c.
func rowOf(t rapid.TB, c *change.Change) map[string]any {
	t.Helper()
	values := map[string]any{
		"ns": c.Namespace, "digest": c.Digest.String(), "generation": int64(c.Generation),
		"lut": time.UnixMilli(c.LUT).UTC(), "expires": c.Expiry > 0, "source_id": int64(c.SourceID), "bins": binsOf(t, c),
	}
	if c.Set != "" {
		values["set_name"] = c.Set
	}
	if c.Expiry > 0 {
		values["expiry"] = time.Unix(c.Expiry, 0).UTC()
	}
	switch c.Key.Kind() {
	case change.KindInteger:
		values["key"], values["key_type"] = strconv.FormatInt(c.Key.Integer(), 10), "int"
	case change.KindString:
		values["key"], values["key_type"] = string(c.Key.Bytes()), "str"
	case change.KindBlob:
		values["key"], values["key_type"] = base64.StdEncoding.EncodeToString(c.Key.Bytes()), "blob"
	}
	return values
}

// binsOf returns the bins as decoded from flat JSON.
func binsOf(t rapid.TB, c *change.Change) any {
	t.Helper()
	const metadata = "longer than the name of any bin"
	text, err := jsonformat.Flat{MetadataKey: metadata, StringifyMapKeys: true}.Append(nil, c)
	if err != nil {
		t.Fatal(err)
	}
	bins, _ := column{Type: "JSON"}.value(string(text))
	delete(bins.(map[string]any), metadata)
	return bins
}
