package settings_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/function/google"
	"github.com/aerosink/aerosink/function/settings"
	"github.com/aerosink/aerosink/function/sink"
)

// environment returns an environment with Google's sinks.
func environment(getenv func(string) string) settings.Environment {
	return settings.Environment{Getenv: getenv, Sinks: google.Sinks()}
}

// env returns a Getenv function with the variables in pairs of name and value.
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

func TestParse_defaultsAndValues(t *testing.T) {
	c, err := environment(env("SINKS", " log: , gs://bucket/prefix,", "PORT", "09090", "METADATA_KEY", "meta", "MAX_BODY", "2KiB", "TIMEOUT", "1500ms")).Parse(sink.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if c.Port != "9090" || c.Parser.MetadataKey != "meta" || c.Limits.Body != 2048 || c.Timeout != 1500*time.Millisecond ||
		len(c.Sinks) != 2 || c.Sinks[0].String() != "log:" || c.Sinks[1].String() != "gs://bucket/prefix" {
		t.Errorf("%+v", c)
	}
	c, err = environment(env("SINKS", "aerospike://a:3000,b,[::1]:3000/shop?mode=records , log:")).Parse(sink.Options{})
	if err != nil || len(c.Sinks) != 2 || !c.Parser.Bins {
		t.Errorf("several hosts: %v, bins %t, %v", c.Sinks, c.Parser.Bins, err)
	}
	c, err = environment(env("SINKS", "log:")).Parse(sink.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if c.Port != "8080" || c.Parser.MetadataKey != "metadata" || c.Parser.Avro != nil || c.Limits.Body != 32<<20 || c.Timeout != 9*time.Second {
		t.Errorf("defaults %+v", c)
	}
}

func TestParse_host(t *testing.T) {
	for value, want := range map[string]string{
		"": "", " ": "", "127.0.0.1": "127.0.0.1", "::1": "::1", "[::1]": "::1", "fe80::1%eth0": "fe80::1%eth0", "0.0.0.0": "0.0.0.0", "localhost": "localhost",
	} {
		if c, err := environment(env("SINKS", "log:", "HOST", value)).Parse(sink.Options{}); err != nil || c.Host != want {
			t.Errorf("HOST=%s: %q, %v, want %q", value, c.Host, err, want)
		}
	}
}

func TestParse_errors(t *testing.T) {
	for _, tt := range []struct {
		name, value, err string
	}{
		{"PORT", "http", `PORT: invalid port "http"`},
		{"HOST", "127.0.0.1:8080", `HOST: invalid address "127.0.0.1:8080": want for example 127.0.0.1; the port is PORT`},
		{"HOST", "http://localhost", `HOST: invalid address "http://localhost"`},
		{"HOST", "[::1", `HOST: invalid address "[::1"`},
		{"PORT", "70000", `PORT: invalid port "70000"`},
		{"MAX_BODY", "lots", `MAX_BODY: invalid size "lots": want for example 32MiB`},
		{"MAX_BODY", "-1", `MAX_BODY: invalid size "-1"`},
		{"MAX_BODY", "99999999999GiB", "invalid size"},
		{"MAX_INFLATED", "1025GiB", "MAX_INFLATED: 1025GiB is more than 1099511627776 bytes"},
		{"MAX_HEADER", "8589934591GiB", "MAX_HEADER: 8589934591GiB is more than"},
		{"METRICS_PORT", "x", `METRICS_PORT: invalid port "x"`},
		{"MAX_CHANGES", "0", `MAX_CHANGES: invalid number "0": want 1 to 2147483647`},
		{"LOG_LEVEL", "loud", `LOG_LEVEL: slog: level string "loud": unknown name`},
		{"DEAD_LETTERS", "s3://b", `DEAD_LETTERS: "s3://b": unknown kind of sink`},
		{"DEAD_LETTERS", "log:", `DEAD_LETTERS: a log is not durable; set for example gs://BUCKET/dead-letters`},
		{"DEAD_LETTERS", "LOG:", `DEAD_LETTERS: a log is not durable`},
		{"DEAD_LETTERS", "aerospike://a/n/s?mode=raw", `a dead letter may have no digest to be stored under`},
		{"DEAD_LETTERS", "GS://bucket/changes", `is one of SINKS, whose readers expect changes`},
		{"DEAD_LETTERS", "gs://bucket/changes?compression=gzip", `is one of SINKS, whose readers expect changes`},
		{"TIMEOUT", "9", `TIMEOUT: invalid duration "9": want for example 9s`},
		{"TIMEOUT", "-1s", "invalid duration"},
		{"BODY_TIMEOUT", "2562047h", "BODY_TIMEOUT: 2562047h is more than 24h0m0s"},
		{"AVRO_SCHEMA", "nowhere.avsc", "AVRO_SCHEMA: open nowhere.avsc: no such file"},
		{"AVRO_SCHEMA", "settings_test.go", "AVRO_SCHEMA: settings_test.go: avro schema: not JSON"},
		{"SINKS", "", "SINKS: not set, so changes have nowhere to go"},
		{"SINKS", " , ", "SINKS: not set"},
		{"SINKS", "kafka://a", `SINKS: "kafka://a": unknown kind of sink`},
		{"SINKS", "gs://me:word@a/b", "SINKS: a sink's URL has neither user nor fragment"},
		{"SINKS", "gs://a/b#c", "SINKS: a sink's URL has neither user nor fragment"},
		{"SINKS", "gs://a/b, gs://a/b/?compression=gzip", `SINKS: "gs://a/b/?compression=gzip" twice`},
	} {
		pairs := []string{tt.name, tt.value}
		if tt.name != "SINKS" {
			pairs = append(pairs, "SINKS", "log:,gs://bucket/changes")
		}
		_, err := environment(env(pairs...)).Parse(sink.Options{})
		if err == nil || !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s=%s: error %v, want one with %q", tt.name, tt.value, err, tt.err)
		}
	}
	_, err := environment(env("PORT", "x", "TIMEOUT", "x", "SINKS", "x,y:")).Parse(sink.Options{})
	if err == nil || strings.Count(err.Error(), "\n") != 3 {
		t.Errorf("want all errors at once: %v", err)
	}
}

// The schema must have the field that METADATA_KEY names.
func TestParse_avroSchema(t *testing.T) {
	schema := changetest.Testdata(t, "payloads", "schema-record.avsc")
	c, err := environment(env("SINKS", "log:", "AVRO_SCHEMA", schema)).Parse(sink.Options{})
	if err != nil || c.Parser.Avro == nil {
		t.Errorf("%+v, %v", c, err)
	}
	_, err = environment(env("SINKS", "log:", "AVRO_SCHEMA", schema, "METADATA_KEY", "m")).Parse(sink.Options{})
	if err == nil || !strings.Contains(err.Error(), `record example.esp.Order has no field "m" for the metadata`) {
		t.Errorf("error %v", err)
	}
}

// Where one request runs at a time, the sinks learn it.
func TestParse_oneAtATime(t *testing.T) {
	for _, want := range []bool{false, true} {
		got := !want
		kind := sink.Kind{Scheme: "seen", Example: "seen:", Parse: func(u *url.URL, o sink.Options) (sink.Spec, error) {
			got = o.OneAtATime
			return sink.Spec{URL: u.String()}, nil
		}}
		e := settings.Environment{Getenv: env("SINKS", "seen:"), Sinks: sink.NewRegistry(kind), OneAtATime: want}
		if _, err := e.Parse(sink.Options{}); err != nil || got != want {
			t.Errorf("the sink got %t, %v, want %t", got, err, want)
		}
	}
}
