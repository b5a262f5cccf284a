package config_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/config"
	"github.com/aerosink/aerosink/connector/deliver/post"
)

// A merge key adds the keys of other mappings that a mapping does not have itself. The
// first of several mappings counts.
func TestParse_mergeKeys(t *testing.T) {
	const rest = "\nrouting: {mode: static-multi-destination, destinations: [a, b]}"
	for _, tt := range []struct{ name, b, want string }{
		{"one mapping", "{<<: *a, urls: [\"https://b\"]}", "5s HTTP_1_1 7"},
		{"own keys first", "{call-timeout: 2s, <<: *a, urls: [\"https://b\"], protocol: HTTP_2}", "2s HTTP_2 7"},
		{"several mappings", "{<<: [{call-timeout: 3s}, *a, {max-connections-per-endpoint: 9}], urls: [\"https://b\"]}", "3s HTTP_1_1 7"},
		{"nested", "{<<: {<<: *a, call-timeout: 4s}, urls: [\"https://b\"]}", "4s HTTP_1_1 7"},
		{"nothing to merge", "{<<: , urls: [\"https://b\"]}", "1s HTTP_2 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := read(t, "destinations:\n  a: &a {urls: [\"https://a\"], call-timeout: 5s, protocol: HTTP_1_1, max-connections-per-endpoint: 7}\n  b: "+tt.b+rest, "")
			d := c.Destinations["b"]
			protocol := map[post.Protocol]string{post.HTTP1: "HTTP_1_1", post.HTTP2: "HTTP_2"}[d.Protocol]
			if got := fmt.Sprint(d.CallTimeout, " ", protocol, " ", d.Connections); got != tt.want || d.URLs[0].Host != "b" {
				t.Errorf("got %s at %v, want %s", got, d.URLs, tt.want)
			}
		})
	}
}

// A merge key works in mappings whose keys are names, too.
func TestParse_mergeKeysOfNames(t *testing.T) {
	c := read(t, to(", headers: {<<: {X-A: a, X-B: b}, X-B: own}", "namespaces: {one: {sets: &sets {s: {format: json}}}, two: {sets: {<<: *sets}}}"), "")
	got := map[string]string{}
	for _, h := range c.Destinations["sink"].Headers {
		got[h.Name] = h.Text
	}
	if diff := cmp.Diff(map[string]string{"X-A": "a", "X-B": "own"}, got); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if f := c.Pipelines.Of("two", "s").Format.Name(); f != "json" {
		t.Errorf("format %s of a merged set", f)
	}
}

// Values have the same meaning with and without quotes, whatever their type.
func TestParse_quotedValues(t *testing.T) {
	text := func(quote string) string {
		q := func(value string) string { return quote + value + quote }
		return fmt.Sprintf("service: {port: %s, drain-timeout: %s, max-message-bytes: %s, cluster-name: %s}\n", q("8901"), q("5s"), q("1MiB"), q("one")) +
			to(fmt.Sprintf(", call-timeout: %s, protocol: %s, max-connections-per-endpoint: %s, http-success-status-codes: [%s], health-check: {enabled: %s, interval-seconds: %s}",
				q("2000"), q("HTTP_1_1"), q("20"), q("201"), q("true"), q("7")),
				fmt.Sprintf("format: {mode: %s, stringify-map-keys: %s}\nbatching: {enabled: %s, max-records: %s}\nlogging: {enable-console-logging: %s}", q("json"), q("False"), q("TRUE"), q("100"), q("true")))
	}
	want := read(t, text(""), "")
	if !want.Logging.Console || want.Pipelines.Root.Stream.MaxRecords != 100 {
		t.Fatalf("%+v", want)
	}
	for _, quote := range []string{`"`, "'"} {
		got := read(t, text(quote), "")
		for _, part := range [][2]any{
			{want.Service, got.Service}, {want.Logging, got.Logging}, {want.Pipelines.Root.Format, got.Pipelines.Root.Format},
			{*want.Pipelines.Root.Stream, *got.Pipelines.Root.Stream}, {want.Destinations["sink"].Health, got.Destinations["sink"].Health},
			{want.Destinations["sink"].CallTimeout, got.Destinations["sink"].CallTimeout}, {want.Destinations["sink"].Connections, got.Destinations["sink"].Connections},
			{want.Destinations["sink"].Protocol, got.Destinations["sink"].Protocol}, {true, got.Destinations["sink"].Success(201)}, {false, got.Destinations["sink"].Success(200)},
		} {
			if diff := cmp.Diff(part[0], part[1]); diff != "" {
				t.Errorf("with %s (-without +with):\n%s", quote, diff)
			}
		}
	}
}

// Numbers may have underscores between digits wherever they stand.
func TestParse_underscores(t *testing.T) {
	c := read(t, "service: {port: 8_901, max-concurrent-records: 10_000, drain-timeout: 1_500ms, max-message-bytes: 2_048KiB}\n"+
		to(", connect-timeout: 1_000, call-timeout: \"5_100\", http-success-status-codes: [2_01], health-check: {interval-seconds: 1_0}", ""), "")
	d := c.Destinations["sink"]
	got := []any{c.Service.Listen[0], c.Service.MaxRecords, c.Service.DrainTimeout, c.Service.MaxMessageBytes, d.ConnectTimeout, d.CallTimeout, d.Success(201), d.Health.Interval}
	want := []any{"0.0.0.0:8901", 10000, 1500 * time.Millisecond, 2 << 20, time.Second, 5100 * time.Millisecond, true, 10 * time.Second}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Nothing is substituted in values.
func TestExamine_placeholders(t *testing.T) {
	folder := config.Folder(t)
	for _, tt := range []struct{ name, text, want string }{
		{"header", to(", headers: {X-Key: \"Bearer ${TOKEN}\"}", ""), "warning: line 2: destinations.sink.headers.X-Key[0]: nothing is substituted for ${TOKEN}, which is used as it stands; write the value itself, or for a header {file: PATH}"},
		{"header with a secret", to(", headers: {Authorization: \"${TOKEN:-secret}\"}", ""), "warning: line 2: destinations.sink.headers.Authorization[0]: nothing is substituted for ${TOKEN}, which"},
		{"one of several values", to(", headers: {X-Key: [a, \"${TOKEN}\"]}", ""), "warning: line 2: destinations.sink.headers.X-Key[1]: nothing is substituted for ${TOKEN}, which"},
		{"Helm", to("", "service: {cluster-name: \"{{ .Release.Name }}\"}"), "warning: line 4: service.cluster-name: nothing is substituted for {{ .Release.Name }}, which"},
		{"path of a URL", "destinations: {sink: {urls: [\"https://a/${TABLE}\"]}}\nrouting: {mode: static, destination: sink}", "warning: line 1: destinations.sink.urls[0]: nothing is substituted for ${TABLE}, which"},
		{"host of a URL", "destinations: {sink: {urls: [\"https://${HOST}/secret\"]}}\nrouting: {mode: static, destination: sink}", "error: line 1: destinations.sink.urls[0]: invalid URL: want https://HOST/PATH or http://HOST/PATH; nothing is substituted for ${HOST}\n"},
		{"number", to("", "service: {port: \"${PORT}\"}"), "error: line 4: service.port[0]: \"${PORT}\" is not an integer; nothing is substituted for ${PORT}\n"},
		{"word", to("", "format: ${FORMAT}"), "want one of json, flat-json, message-pack, avro, xdr; nothing is substituted for ${FORMAT}\n"},
		{"file", to(", tls: {ca-file: \"${CA}\"}", ""), "relative paths start at the folder of the configuration; nothing is substituted for ${CA}\n"},
		{"Helm, not quoted", to("", "service: {cluster-name: {{ .Release.Name }}}"), "error: line 4: service.cluster-name: a template that was not filled in, want a single value\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			found := config.Examine([]byte(tt.text), folder)
			var lines strings.Builder
			for _, e := range found.Errors {
				fmt.Fprintf(&lines, "error: %s\n", e)
			}
			for _, w := range found.Warnings {
				fmt.Fprintf(&lines, "warning: %s\n", w)
			}
			if !strings.Contains(lines.String(), tt.want) || len(found.Errors)+len(found.Warnings) != 1 || strings.Contains(lines.String(), "secret") {
				t.Errorf("got\n%swant only one that says %q", lines.String(), tt.want)
			}
		})
	}
	for _, text := range []string{
		to(", headers: {X-Price: \"$5\", X-Path: \"/$metadata\"}", ""),
		to("", "bin-transforms: {transforms: [{regex: {pattern: \"(?<a>.*)\", replacement: \"${a}\"}}]}"),
		to("", "format: {mode: avro, schema: '{\"type\": \"map\", \"doc\": \"${a}\", "+config.Schema[len(`{"type":"map",`):]+"'}"),
	} {
		if found := config.Examine([]byte(text), folder); len(found.Errors)+len(found.Warnings) > 0 {
			t.Errorf("%s: %v, %v", text, found.Errors, found.Warnings)
		}
	}
}
