package config_test

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/config"
	"github.com/aerosink/aerosink/connector/deliver"
	"github.com/aerosink/aerosink/connector/format"
)

// The sample of a user who moves over from ESP.
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

func TestSample(t *testing.T) {
	c, err := config.Parse([]byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	d := c.Destinations["aws-lambda"]
	level := c.Treatments.Of("any", "set")
	got := map[string]any{
		"listen": c.Service.Listen, "manage": c.Service.Manage, "log": c.Logging.File,
		"url": d.URLs[0].String(), "connections": d.Connections, "call": d.CallTimeout, "connect": d.ConnectTimeout,
		"to": level.Rule.Destinations, "format": level.Format, "records in a request": level.Stream.MaxRecords,
	}
	want := map[string]any{
		"listen": []string{"0.0.0.0:8080"}, "manage": []string{"0.0.0.0:8081"}, "log": "/var/log/aerospike-esp-outbound/aerospike-esp-outbound.log",
		"url": "https://myapp.execute-api.ap-south-1.amazonaws.com", "connections": 100, "call": 10 * time.Second, "connect": 2 * time.Second,
		"to": []string{"aws-lambda"}, "format": format.JSON{StringifyMapKeys: true}, "records in a request": 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The README's configuration has every key and is without fault.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(changetest.Testdata(t), "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(readme), "```yaml\n")
	text, _, found := strings.Cut(after, "```")
	if !found {
		t.Fatal("no YAML in the README")
	}
	c, err := config.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Warnings) > 0 || c.Treatments.Of("shop", "sessions").Format != nil || c.Treatments.Of("shop", "orders").Stream.MaxRecords != 500 {
		t.Errorf("%v, %+v", c.Warnings, c.Treatments)
	}
}

const minimal = `
destinations: {sink: {urls: ["http://127.0.0.1:1"]}}
routing: {mode: static, destination: sink}
format: json
`

func TestDefaults(t *testing.T) {
	c, err := config.Parse([]byte(minimal))
	if err != nil {
		t.Fatal(err)
	}
	want := config.Service{
		Listen: []string{"0.0.0.0:8901"}, ClusterName: "aerosink", MaxRecords: 32768, MaxBytes: 64 << 20,
		MaxMessageBytes: 8 << 20, DrainTimeout: 10 * time.Second,
	}
	if diff := cmp.Diff(want, c.Service); diff != "" {
		t.Errorf("service (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(config.Logging{Level: slog.LevelInfo}, c.Logging); diff != "" {
		t.Errorf("logging (-want +got):\n%s", diff)
	}
	d := c.Destinations["sink"]
	got := []any{d.Name, d.Protocol, d.Connections, d.Streams, d.Queue, d.CallTimeout, d.ConnectTimeout, d.Headers, d.Success == nil}
	if diff := cmp.Diff([]any{"sink", deliver.HTTP2, 1, 100, 32768, time.Second, 300 * time.Millisecond, []deliver.Header(nil), true}, got); diff != "" {
		t.Errorf("destination (-want +got):\n%s", diff)
	}
	if len(c.Warnings) > 0 {
		t.Errorf("warnings %v", c.Warnings)
	}
}

func TestEveryKey(t *testing.T) {
	c, err := config.Parse([]byte(`
service:
  protocol: TCP
  port: 8901
  address: [127.0.0.1, "::1"]
  cluster-name: blue
  max-concurrent-records: 100
  max-concurrent-bytes: 2097152
  max-message-bytes: 134217728
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
    max-request-queued-per-endpoint: 7
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
`))
	if err != nil {
		t.Fatal(err)
	}
	want := config.Service{
		Listen: []string{"127.0.0.1:8901", "[::1]:8901"}, Manage: []string{"127.0.0.1:8902"}, ClusterName: "blue", MaxRecords: 100,
		MaxBytes: 2 << 20, MaxMessageBytes: 128 << 20, ReceiveBuffer: 65536, DrainTimeout: 1500 * time.Millisecond,
	}
	if diff := cmp.Diff(want, c.Service); diff != "" {
		t.Errorf("service (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(config.Logging{Console: true, JSON: true, Level: slog.LevelDebug}, c.Logging); diff != "" {
		t.Errorf("logging (-want +got):\n%s", diff)
	}
	d := c.Destinations["sink"]
	got := []any{d.Protocol, len(d.URLs), d.Connections, d.Streams, d.Queue, d.CallTimeout, d.ConnectTimeout, d.Headers, d.Success(202), d.Success(201)}
	header := []deliver.Header{{Name: "X-Team", Text: "data"}, {Name: "X-Two", Text: "a"}, {Name: "X-Two", Text: "b"}}
	if diff := cmp.Diff([]any{deliver.HTTP1, 2, 3, 5, 7, 5 * time.Second, time.Second, header, true, false}, got); diff != "" {
		t.Errorf("destination (-want +got):\n%s", diff)
	}
	flat := format.FlatJSON{MetadataKey: "meta"}
	both := []string{"sink", "audit"}
	for _, tt := range []struct {
		namespace, set string
		destinations   []string
		format         format.Format
		records        int
	}{
		{"bank", "", both, flat, 25},
		{"shop", "", both, format.JSON{StringifyMapKeys: true}, 25},
		{"shop", "users", both, format.JSON{StringifyMapKeys: true}, 25},
		{"shop", "orders", []string{"audit"}, format.JSON{StringifyMapKeys: true}, 1},
		{"shop", "sessions", nil, nil, 0},
	} {
		level := c.Treatments.Of(tt.namespace, tt.set)
		records := 0
		if level.Stream != nil {
			records = level.Stream.MaxRecords
		}
		got := []any{level.Rule.Destinations, level.Format, records}
		if diff := cmp.Diff([]any{tt.destinations, tt.format, tt.records}, got); diff != "" {
			t.Errorf("%s/%s (-want +got):\n%s", tt.namespace, tt.set, diff)
		}
	}
	if a, b := c.Treatments.Of("shop", ""), c.Treatments.Of("shop", "users"); a.Stream != b.Stream {
		t.Error("changes that are treated alike do not travel together")
	}
}

// What is wrong is named by its path, with what to do.
func TestFaults(t *testing.T) {
	destination := "routing: {mode: skip}\ndestinations:\n  sink:\n    urls: [\"http://a\"]\n    "
	routed := "destinations: {sink: {urls: [\"http://a\"]}, audit: {urls: [\"http://a\"]}}\nformat: json\n"
	for _, tt := range []struct{ name, text, want string }{
		{"nothing", "", "the file is empty"},
		{"no YAML", "a: [", "not YAML"},
		{"two documents", minimal + "---\na: b\n", "more than one YAML document"},
		{"a list", "- a\n", "a list where a mapping"},
		{"empty", "{}", "destinations: none; name one"},
		{"unknown section", minimal + "fromat: json\n", "line 5: fromat: unknown key; did you mean format?"},
		{"unknown key", destination + "call-timout: 5", "line 5: destinations.sink.call-timout: unknown key; did you mean call-timeout?"},
		{"unknown key, nothing like it", destination + "zzz: 5", "destinations.sink.zzz: unknown key"},
		{"the same key twice", minimal + "format: json\n", "line 5: format: the same key as on line 4"},
		{"a list for a mapping", "service: [1]", "service: a list where a mapping"},
		{"a mapping for a value", destination + "call-timeout: {a: b}", "a mapping where a single value should be"},

		{"port out of range", minimal + "service: {port: 70000}", "line 5: service.port[0]: 70000 is not between 0 and 65535"},
		{"port that is a word", minimal + "service: {port: http}", `service.port[0]: "http" is no whole number`},
		{"HTTP from the database", minimal + "service: {protocol: HTTP_2}", `service.protocol: "HTTP_2" is none of TCP`},
		{"TLS from the database", minimal + "service: {tls: {port: 1}}", "service.tls: TLS towards the database is not supported yet"},
		{"message limit", minimal + "service: {max-message-bytes: 200000000}", "service.max-message-bytes: 200000000 is not between"},
		{"drain for days", minimal + "service: {drain-timeout: 48h}", "service.drain-timeout: 48h is not between 0s and 1h"},
		{"log level", minimal + "logging: {levels: {root: loud}}", `logging.levels.root: "loud" is none of`},
		{"log to a folder", minimal + "logging: {file: /tmp}", "logging.file: /tmp is a folder"},

		{"no urls", "routing: {mode: skip}\ndestinations:\n  sink: {}", "line 3: destinations.sink.urls: missing"},
		{"no URL", "destinations: {sink: {urls: [\"::secret\"]}}", "destinations.sink.urls[0]: no URL"},
		{"no http URL", "destinations: {sink: {urls: [\"ftp://a\"]}}", `destinations.sink.urls[0]: "ftp://a" is no URL of http or https`},
		{"no host", "destinations: {sink: {urls: [\"https:///a\"]}}", "is no URL of http or https"},
		{"password in the URL", "destinations: {sink: {urls: [\"https://a:secret@b\"]}}", "a user or password in the URL; send it in a header"},
		{"a mapping for a URL", "destinations: {sink: {urls: [{a: b}]}}", "destinations.sink.urls[0]: a mapping where a single value"},
		{"protocol", destination + "protocol: HTTP_3", `"HTTP_3" is none of HTTP_1_1, HTTP_2; did you mean HTTP_2?`},
		{"timeout", destination + "call-timeout: soon", `destinations.sink.call-timeout: "soon" is no duration; write a number of milliseconds or, for example, 1500ms`},
		{"timeout of nothing", destination + "call-timeout: 0", "0 is not between 1ms and 1h"},
		{"timeout beyond what a duration holds", destination + "call-timeout: 99999999999999", "is not between 1ms and 1h"},
		{"no connections", destination + "max-connections-per-endpoint: 0", "0 is not between 1 and"},
		{"status code", destination + "http-success-status-codes: [200, 600]", "http-success-status-codes[1]: 600 is not between 100 and 599"},
		{"status codes in words", destination + "http-success-status-codes: [OK]", `http-success-status-codes[0]: the value "OK" is no status code`},
		{"header name", destination + "headers: {\"a b\": c}", "destinations.sink.headers.a b: is no name of an HTTP header"},
		{"header value", destination + "headers: {a: \"b\\nc\"}", "destinations.sink.headers.a: its value cannot stand in an HTTP header"},
		{"header that is ours", destination + "headers: {content-type: c}", "headers.content-type: is set by the connector itself"},
		{"health check", destination + "health-check: {interval: 5}", "destinations.sink.health-check.interval: unknown key"},
		{"client certificate", destination + "tls: {key-store: {}}", "destinations.sink.tls: only the system's certificate authorities"},
		{"compression", destination + "compression: gzip", "destinations.sink.compression: gzip is not supported yet"},

		{"no routing", routed, "routing: missing"},
		{"no mode", routed + "routing: {destination: sink}", "routing.mode: missing"},
		{"mode", routed + "routing: {mode: statik, destination: sink}", `routing.mode: "statik" is none of static, static-multi-destination, skip, custom; did you mean static?`},
		{"custom routing", routed + "routing: {mode: custom, class: a.B}", "routing.mode: Java classes cannot be loaded"},
		{"unknown destination", routed + "routing: {mode: static, destination: snik}", `routing.destination: no destination is called "snik"; did you mean sink?`},
		{"destination twice", routed + "routing: {mode: static-multi-destination, destinations: [sink, sink]}", `routing.destinations: destination "sink" twice`},
		{"no destinations", routed + "routing: {mode: static-multi-destination, destinations: []}", "routing.destinations: names no destination; to drop changes on purpose say mode: skip"},
		{"two static destinations", routed + "routing: {mode: static, destination: [sink, audit]}", "names 2 destinations; say mode: static-multi-destination"},
		{"key of another mode", routed + "routing: {mode: static, destination: sink, destinations: [audit]}", "routing.destinations: means nothing in mode static"},
		{"key of another mode, skip", routed + "routing: {mode: skip, destination: sink}", "routing.destination: means nothing in mode skip"},
		{"in a namespace", routed + "routing: {mode: skip}\nnamespaces: {a: {routing: {mode: static, destination: b}}}", `namespaces.a.routing.destination: no destination is called "b"`},
		{"in a set", routed + "routing: {mode: skip}\nnamespaces: {a: {sets: {s: {fromat: json}}}}", "namespaces.a.sets.s.fromat: unknown key; did you mean format?"},

		{"no format", "destinations: {sink: {urls: [\"http://a\"]}}\nrouting: {mode: static, destination: sink}", "format: missing"},
		{"unknown format", minimal[:len(minimal)-len("json\n")] + "jason", `format.mode: "jason" is none of json`},
		{"format to come", minimal[:len(minimal)-len("json\n")] + "avro", "format.mode: avro is not supported yet"},
		{"custom format", minimal[:len(minimal)-len("json\n")] + "{mode: custom, class: a.B}", "format.mode: Java classes cannot be loaded"},
		{"format without mode", minimal[:len(minimal)-len("json\n")] + "{stringify-map-keys: true}", "format.mode: missing"},
		{"flat-json without a key", minimal[:len(minimal)-len("json\n")] + "flat-json", "format.metadata-key: missing"},
		{"metadata key for json", minimal[:len(minimal)-len("json\n")] + "{mode: json, metadata-key: m}", "format.metadata-key: belongs to mode flat-json"},
		{"boolean in words", minimal[:len(minimal)-len("json\n")] + "{mode: json, stringify-map-keys: \"yes\"}", `"yes" is neither true nor false`},
		{"no records", minimal + "batching: {max-records: 0}", "batching.max-records: 0 is not between 1"},
		{"interval beyond XDR's patience", minimal + "batching: {batch-interval: 10000}", "batching.batch-interval: 10s, but XDR waits only 10s"},
		{"bin transforms", minimal + "bin-transforms: {map: {a: b}}", "bin-transforms: not supported yet"},
		{"record ordering", minimal + "record-ordering: {enable: true}", "record-ordering: not supported yet"},
		{"custom transformer", minimal + "custom-transformer: {class: a.B}", "custom-transformer: Java classes cannot be loaded"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := config.Parse([]byte(tt.text))
			var faults config.Faults
			if !errors.As(err, &faults) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one that says %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error shows a secret: %v", err)
			}
		})
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	_, err := config.Parse([]byte("servce: {}\ndestinations: {a: {urls: [x], call-timeout: never}}\nrouting: {mode: static, destination: b}\nformat: json\n"))
	want := []string{
		"line 1: servce: unknown key; did you mean service?",
		`line 2: destinations.a.urls[0]: "x" is no URL of http or https; write https://HOST/PATH`,
		`line 2: destinations.a.call-timeout: "never" is no duration; write a number of milliseconds or, for example, 1500ms`,
		`line 3: routing.destination: no destination is called "b"; did you mean a?`,
	}
	if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWarnings(t *testing.T) {
	c, err := config.Parse([]byte(minimal + `service: {io-threads: 4, worker-threads: 4, enable-tcp-xdr-ack-buffering: true}
logging: {max-history: 3, ticker-interval: 5, levels: {record-parser: debug}}
`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range c.Warnings {
		path, _, _ := strings.Cut(w.String(), ": ignored")
		got = append(got, path)
	}
	want := []string{
		"line 5: service.io-threads", "line 5: service.worker-threads", "line 5: service.enable-tcp-xdr-ack-buffering",
		"line 6: logging.max-history", "line 6: logging.ticker-interval", "line 6: logging.levels.record-parser",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte(minimal))
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if c, err := config.Parse(text); (c == nil) == (err == nil) {
			t.Fatalf("%v, %v", c, err)
		}
	})
}
