package row

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
)

// hiveType returns the type of Hive, and so of Athena, for an Avro type.
func hiveType(t *testing.T, avro any) string {
	t.Helper()
	switch a := avro.(type) {
	case string:
		if simple := map[string]string{"string": "string", "int": "int", "long": "bigint", "double": "double", "boolean": "boolean", "bytes": "binary"}[a]; simple != "" {
			return simple
		}
	case []any: // ["null", X]
		return hiveType(t, a[1])
	case map[string]any:
		switch {
		case a["logicalType"] == "timestamp-millis":
			return "timestamp"
		case a["type"] == "fixed":
			return "binary"
		case a["type"] == "map":
			return "map<string," + hiveType(t, a["values"]) + ">"
		case a["type"] == "record":
			return "struct<" + strings.Join(hiveFields(t, a, ":"), ",") + ">"
		}
	}
	t.Fatalf("unknown Avro type %v", avro)
	return ""
}

func hiveFields(t *testing.T, record map[string]any, separator string) []string {
	t.Helper()
	var all []string
	fields, _ := record["fields"].([]any)
	for _, f := range fields {
		field, _ := f.(map[string]any)
		all = append(all, fmt.Sprint(field["name"])+separator+hiveType(t, field["type"]))
	}
	return all
}

// The table for Athena that the page about AWS has is the schema of a row.
func TestSchema_athena(t *testing.T) {
	var record map[string]any
	if err := json.Unmarshal([]byte(Schema), &record); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../AWS.md")
	if err != nil {
		t.Fatal(err)
	}
	want := "CREATE EXTERNAL TABLE changes ( " + strings.Join(hiveFields(t, record, " "), ", ") + ") PARTITIONED BY"
	if !strings.Contains(strings.Join(strings.Fields(string(page)), " "), want) {
		t.Errorf("AWS.md has another table; want\n%s", want)
	}
}
