package function_test

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/function"
)

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func TestParseConfig(t *testing.T) {
	c, err := function.ParseConfig(env("SINKS", " log: , gs://bucket/prefix,", "PORT", "09090", "METADATA_KEY", "meta", "MAX_BODY", "2KiB", "TIMEOUT", "1500ms"), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if c.Port != "9090" || c.Parser.MetadataKey != "meta" || c.Limits.Body != 2048 || c.Timeout != 1500*time.Millisecond ||
		len(c.Sinks) != 2 || c.Sinks[0].String() != "log:" || c.Sinks[1].String() != "gs://bucket/prefix" {
		t.Errorf("%+v", c)
	}
	c, err = function.ParseConfig(env("SINKS", "log:"), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if c.Port != "8080" || c.Parser.MetadataKey != "metadata" || c.Parser.Avro != nil || c.Limits.Body != 32<<20 || c.Timeout != 9*time.Second {
		t.Errorf("defaults %+v", c)
	}
}

func TestParseConfigFaults(t *testing.T) {
	for _, tt := range []struct {
		name, value, err string
	}{
		{"PORT", "http", `PORT: "http" is no port`},
		{"PORT", "70000", `PORT: "70000" is no port`},
		{"MAX_BODY", "lots", `MAX_BODY: "lots" is no size; write for example 32MiB`},
		{"MAX_BODY", "-1", `MAX_BODY: "-1" is no size`},
		{"MAX_BODY", "99999999999GiB", "is no size"},
		{"MAX_INFLATED", "1025GiB", "MAX_INFLATED: 1025GiB is more than 1099511627776 bytes"},
		{"MAX_HEADER", "8589934591GiB", "MAX_HEADER: 8589934591GiB is more than"},
		{"METRICS_PORT", "x", `METRICS_PORT: "x" is no port`},
		{"MAX_CHANGES", "0", `MAX_CHANGES: "0" is no number from 1 to 2147483647`},
		{"LOG_LEVEL", "loud", `LOG_LEVEL: slog: level string "loud": unknown name`},
		{"DEAD_LETTERS", "s3://b", `DEAD_LETTERS: "s3://b": unknown kind of sink`},
		{"DEAD_LETTERS", "log:", `DEAD_LETTERS: a log is no place that lasts; set for example gs://BUCKET/dead-letters`},
		{"DEAD_LETTERS", "LOG:", `DEAD_LETTERS: a log is no place that lasts`},
		{"DEAD_LETTERS", "GS://bucket/changes", `is one of SINKS, whose readers expect changes`},
		{"DEAD_LETTERS", "gs://bucket/changes?compression=gzip", `is one of SINKS, whose readers expect changes`},
		{"TIMEOUT", "9", `TIMEOUT: "9" is no duration; write for example 9s`},
		{"TIMEOUT", "-1s", "is no duration"},
		{"BODY_TIMEOUT", "2562047h", "BODY_TIMEOUT: 2562047h is more than 24h0m0s"},
		{"AVRO_SCHEMA", "nowhere.avsc", "AVRO_SCHEMA: open nowhere.avsc: no such file"},
		{"AVRO_SCHEMA", "config_test.go", "AVRO_SCHEMA: config_test.go: avro schema: not JSON"},
		{"SINKS", "", "SINKS: empty, so changes have nowhere to go"},
		{"SINKS", " , ", "SINKS: empty"},
		{"SINKS", "kafka://a", `SINKS: "kafka://a": unknown kind of sink`},
		{"SINKS", "gs://me:word@a/b", "SINKS: a sink's URL has neither user nor fragment"},
		{"SINKS", "gs://a/b#c", "SINKS: a sink's URL has neither user nor fragment"},
		{"SINKS", "gs://a/b, gs://a/b/?compression=gzip", `SINKS: "gs://a/b/?compression=gzip" twice`},
	} {
		pairs := []string{tt.name, tt.value}
		if tt.name != "SINKS" {
			pairs = append(pairs, "SINKS", "log:,gs://bucket/changes")
		}
		_, err := function.ParseConfig(env(pairs...), io.Discard)
		if err == nil || !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s=%s: error %v, want one that says %q", tt.name, tt.value, err, tt.err)
		}
	}
	_, err := function.ParseConfig(env("PORT", "x", "TIMEOUT", "x", "SINKS", "x,y:"), io.Discard)
	if err == nil || strings.Count(err.Error(), "\n") != 3 {
		t.Errorf("not all faults at once: %v", err)
	}
}

// The schema and the name of the metadata in it go together.
func TestParseConfigOfAvro(t *testing.T) {
	schema := changetest.Testdata(t, "payloads", "schema-record.avsc")
	c, err := function.ParseConfig(env("SINKS", "log:", "AVRO_SCHEMA", schema), io.Discard)
	if err != nil || c.Parser.Avro == nil {
		t.Errorf("%+v, %v", c, err)
	}
	_, err = function.ParseConfig(env("SINKS", "log:", "AVRO_SCHEMA", schema, "METADATA_KEY", "m"), io.Discard)
	if err == nil || !strings.Contains(err.Error(), `record example.esp.Order has no field "m" for the metadata`) {
		t.Errorf("error %v", err)
	}
}

// The README's table is the one in the code.
func TestReadme(t *testing.T) {
	text := readme(t)
	for _, v := range function.Variables() {
		value := ""
		if v.Default != "" {
			value = "`" + v.Default + "` "
		}
		if row := fmt.Sprintf("| `%s` | %s| %s |", v.Name, value, v.Meaning); !strings.Contains(text, row) {
			t.Errorf("the README has no row %s", row)
		}
	}
}
