package config_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/deliver/post"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/config"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/json"
)

// sample is the configuration of a user who migrates from ESP.
const sample = `
service:
  ports: [8080]
  manage: {ports: 8081}
logging: {file: /var/log/aerospike-esp-outbound/aerospike-esp-outbound.log}
destinations:
  aws-lambda:
    urls: [https://myapp.execute-api.ap-south-1.amazonaws.com]
    max-connections-per-endpoint: 100
    call-timeout: 10000
    connect-timeout: 2000
    health-check: {call-timeout: 3000, interval-seconds: 5000}
routing: {mode: static-multi-destination, destinations: [aws-lambda]}
format: json
`

func TestParse_sampleOfESP(t *testing.T) {
	folder := t.TempDir()
	c, err := config.Parse([]byte(strings.Replace(sample, "/var/log", folder, 1)), "")
	if err != nil {
		t.Fatal(err)
	}
	d := c.Destinations["aws-lambda"]
	level := c.Pipelines.Of("any", "set")
	got := map[string]any{
		"listen": c.Service.Listen, "manage": c.Service.Manage, "log": c.Logging.File,
		"url": d.URLs[0].String(), "connections": d.Connections, "call": d.CallTimeout, "connect": d.ConnectTimeout,
		"to": level.Rule.Destinations, "format": level.Format, "records in a request": level.Stream.MaxRecords,
	}
	want := map[string]any{
		"listen": []string{"0.0.0.0:8080"}, "manage": []string{"0.0.0.0:8081"}, "log": filepath.Join(folder, "aerospike-esp-outbound", "aerospike-esp-outbound.log"),
		"url": "https://myapp.execute-api.ap-south-1.amazonaws.com", "connections": 100, "call": 10 * time.Second, "connect": 2 * time.Second,
		"to": []string{"aws-lambda"}, "format": json.Format{StringifyMapKeys: true}, "records in a request": 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The configuration in the README has no errors and no warnings.
func TestParse_readmeExample(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(changetest.Testdata(t), "..", "connector", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(readme), "```yaml\n")
	text, _, found := strings.Cut(after, "```")
	if !found {
		t.Fatal("no YAML in the README")
	}
	c, err := config.Parse([]byte(text), "")
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Warnings) > 0 || c.Pipelines.Of("shop", "sessions").Format != nil || c.Pipelines.Of("shop", "orders").Stream.MaxRecords != 500 {
		t.Errorf("%v, %+v", c.Warnings, c.Pipelines)
	}
}

// ParseElsewhere reports no errors about files, but all others.
func TestParseElsewhere(t *testing.T) {
	text := `
service: {tls: {port: 8943, cert-file: /nowhere/a, key-file: /nowhere/b, ca-file: /nowhere/c}}
destinations:
  a:
    urls: ["https://a"]
    headers: {X-Key: {file: /nowhere/d}}
    auth: {mode: bearer, token-file: /nowhere/e}
    tls: {trust-store: {store-file: /nowhere/f, store-password-file: /nowhere/g}}
dead-letters: {directory: /nowhere/h/i}
routing: {mode: static, destination: a}
format: {mode: avro, schema-file: /nowhere/j}
logging: {file: /nowhere/k/l}
`
	if _, err := config.Parse([]byte(text), ""); err == nil || strings.Count(err.Error(), "/nowhere") < 10 {
		t.Fatalf("error %v, want one that names each file", err)
	}
	c, err := config.ParseElsewhere([]byte(text), "")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"0.0.0.0:8943"}, c.Service.TLS.Listen); diff != "" || len(c.Service.Listen) > 0 {
		t.Errorf("ports in clear text %v, over TLS (-want +got):\n%s", c.Service.Listen, diff)
	}
	if _, err := config.ParseElsewhere([]byte(text+"colour: blue\n"), ""); err == nil || !strings.Contains(err.Error(), "colour: unknown key") {
		t.Errorf("error %v", err)
	}
}

// The destination for dead letters may share a URL, since nothing is routed to both.
func TestParse_deadLettersAtSharedURL(t *testing.T) {
	c, err := config.Parse([]byte("destinations: {a: {urls: [\"https://a\"]}, b: {urls: [\"https://a\"]}}\nrouting: {mode: static, destination: a}\nformat: xdr\ndead-letters: {destination: b}\n"), "")
	if err != nil || len(c.Warnings) > 0 {
		t.Errorf("%v, warnings %v", err, c.Warnings)
	}
}

const minimal = `
destinations: {sink: {urls: ["http://127.0.0.1:1"]}}
routing: {mode: static, destination: sink}
format: json
`

func TestParse_defaults(t *testing.T) {
	c, err := config.Parse([]byte(minimal), "")
	if err != nil {
		t.Fatal(err)
	}
	want := config.Service{
		Listen: []string{"0.0.0.0:8901"}, ClusterName: "aerosink", MaxRecords: 32768, MaxBytes: 64 << 20,
		MaxMessageBytes: 8 << 20, OrderingBytes: 64 << 20, DrainTimeout: 10 * time.Second,
	}
	if diff := cmp.Diff(want, c.Service); diff != "" {
		t.Errorf("service (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(config.Logging{History: 30, Level: slog.LevelInfo}, c.Logging); diff != "" {
		t.Errorf("logging (-want +got):\n%s", diff)
	}
	d := c.Destinations["sink"]
	got := []any{d.Name, d.Protocol, d.Connections, d.Streams, d.Queue, d.CallTimeout, d.ConnectTimeout, d.Headers, d.Success == nil}
	if diff := cmp.Diff([]any{"sink", post.HTTP2, 1, 100, 32768, time.Second, 300 * time.Millisecond, []post.Header(nil), true}, got); diff != "" {
		t.Errorf("destination (-want +got):\n%s", diff)
	}
	if len(c.Warnings) > 0 {
		t.Errorf("warnings %v", c.Warnings)
	}
}

func TestParse_everyKey(t *testing.T) {
	c, err := config.Parse([]byte(`
service:
  protocol: TCP
  port: 8901
  address: [127.0.0.1, "::1"]
  cluster-name: blue
  max-concurrent-records: 100
  max-concurrent-bytes: 2097152
  max-message-bytes: 134217728
  record-ordering-cache-bytes: 1048576
  connection-ttl: 300000
  socket-receive-buffer-bytes: 65536
  drain-timeout: 1500ms
  manage: {address: 127.0.0.1}
logging: {enable-console-logging: true, format: json, levels: {root: debug}}
destinations:
  sink:
    urls: [https://one.example/in, https://two.example/in]
    protocol: HTTP_1_1
    max-connections-per-endpoint: 3
    http2-max-concurrent-streams: 5
    max-request-queued-per-endpoint: 70
    call-timeout: 5s
    connect-timeout: 1000
    compression: none
    headers: {x-team: data, X-Two: [a, b]}
    http-success-status-codes: [200, 202]
  audit: {urls: ["http://127.0.0.1:1"]}
routing: {mode: static-multi-destination, destinations: [sink, audit]}
format: {mode: flat-json, metadata-key: meta, stringify-map-keys: false}
batching: {max-records: 25, max-bytes: 2_000_000, batch-interval: 2000}
namespaces:
  shop:
    format: json
    sets:
      sessions: {routing: {mode: skip}}
      orders: {routing: {mode: static, destination: audit}, batching: {enabled: false}}
      users: {}
`), "")
	if err != nil {
		t.Fatal(err)
	}
	want := config.Service{
		Listen: []string{"127.0.0.1:8901", "[::1]:8901"}, Manage: []string{"127.0.0.1:8902"}, ClusterName: "blue", MaxRecords: 100,
		MaxBytes: 2 << 20, MaxMessageBytes: 128 << 20, OrderingBytes: 1 << 20, ReceiveBuffer: 65536,
		ConnectionTTL: 5 * time.Minute, DrainTimeout: 1500 * time.Millisecond,
	}
	if diff := cmp.Diff(want, c.Service); diff != "" {
		t.Errorf("service (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(config.Logging{History: 30, Console: true, JSON: true, Level: slog.LevelDebug}, c.Logging); diff != "" {
		t.Errorf("logging (-want +got):\n%s", diff)
	}
	d := c.Destinations["sink"]
	got := []any{d.Protocol, len(d.URLs), d.Connections, d.Streams, d.Queue, d.CallTimeout, d.ConnectTimeout, d.Headers, d.Success(202), d.Success(201)}
	header := []post.Header{{Name: "X-Team", Text: "data"}, {Name: "X-Two", Text: "a"}, {Name: "X-Two", Text: "b"}}
	if diff := cmp.Diff([]any{post.HTTP1, 2, 3, 5, 70, 5 * time.Second, time.Second, header, true, false}, got); diff != "" {
		t.Errorf("destination (-want +got):\n%s", diff)
	}
	flat := json.Flat{MetadataKey: "meta"}
	both := []string{"sink", "audit"}
	for _, tt := range []struct {
		namespace, set string
		destinations   []string
		format         format.Format
		records        int
	}{
		{"bank", "", both, flat, 25},
		{"shop", "", both, json.Format{StringifyMapKeys: true}, 25},
		{"shop", "users", both, json.Format{StringifyMapKeys: true}, 25},
		{"shop", "orders", []string{"audit"}, json.Format{StringifyMapKeys: true}, 1},
		{"shop", "sessions", nil, nil, 0},
	} {
		level := c.Pipelines.Of(tt.namespace, tt.set)
		records := 0
		if level.Stream != nil {
			records = level.Stream.MaxRecords
		}
		got := []any{level.Rule.Destinations, level.Format, records}
		if diff := cmp.Diff([]any{tt.destinations, tt.format, tt.records}, got); diff != "" {
			t.Errorf("%s/%s (-want +got):\n%s", tt.namespace, tt.set, diff)
		}
	}
	if a, b := c.Pipelines.Of("shop", ""), c.Pipelines.Of("shop", "users"); a.Stream != b.Stream {
		t.Error("levels with equal formats and batching have different streams")
	}
}

func TestParse_allErrors(t *testing.T) {
	_, err := config.Parse([]byte("servce: {}\ndestinations: {a: {urls: [x], call-timeout: never}}\nrouting: {mode: static, destination: b}\nformat: json\n"), "")
	want := []string{
		"line 1: servce: unknown key; did you mean service?",
		`line 2: destinations.a.urls[0]: invalid URL "x": want https://HOST/PATH or http://HOST/PATH`,
		`line 2: destinations.a.call-timeout: invalid duration "never": want a number of milliseconds or, for example, 1500ms`,
		`line 3: routing.destination: no destination is called "b"; did you mean a?`,
	}
	if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte(minimal))
	f.Add([]byte(config.Reference()))
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("service: {tls: {port: 1, cert-file: a, key-store: {store-file: b}, protocols: [x], ciphers: [y]}}"))
	f.Add([]byte("bin-transforms: {include: none, map: {a: b}, transforms: [trim, {regex: {pattern: (a), replacement: $1}}]}"))
	f.Add([]byte("destinations: {a: {urls: [http://b], auth: {mode: bearer, token-file: c}, headers: {d: {value: set}}}}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if c, err := config.Parse(text, ""); (c == nil) == (err == nil) {
			t.Fatalf("%v, %v", c, err)
		}
	})
}
