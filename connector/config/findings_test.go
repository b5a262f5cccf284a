package config_test

import (
	"testing"

	"github.com/aerosink/aerosink/connector/config/strict"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/aerosink/aerosink/connector/config"
)

// Errors do not hide warnings, except those about the same value.
func TestExamine(t *testing.T) {
	none := strict.Findings{}
	const here, safe = "service: {port: 8901, address: 127.0.0.1}\n", "dead-letters: {directory: secrets}\n"
	for _, tt := range []struct {
		name, text string
		want       strict.Findings
	}{
		{"no findings", to("", here+safe), none},
		{"ports as in ESP's samples", to("", safe+"service: {ports: [8080], address: 127.0.0.1}"), none},
		{"TLS only", "service: {tls: {port: 1, cert-file: secrets/server.crt, key-file: secrets/server.key}}\n" + to("", safe), none},
		{"no port", to("", safe+"service: {address: 127.0.0.1}"), strict.Findings{Notes: strict.Errors{{Path: "service.port", Line: 5, Text: "not set, so XDR is received on port 8901; ESP's default is 8080"}}}},
		{"not YAML", "a: [", strict.Findings{Errors: strict.Errors{{Path: "", Line: 2, Text: "not YAML: did not find expected node content"}}}},
		{"error and warning", to("", "service:\n  io-threads: 4\n  port: http\n"+safe), strict.Findings{
			Errors:   strict.Errors{{Path: "service.port[0]", Line: 6, Text: `"http" is not an integer`}},
			Warnings: strict.Errors{{Path: "service.io-threads", Line: 5, Text: "ignored: goroutines are not threads; set GOMAXPROCS to limit the processors"}},
		}},
		{"error and warning about one value", to("", safe+"service: {port: 1, address: 127.0.0.1, io-threads: many}"), strict.Findings{
			Errors: strict.Errors{{Path: "service.io-threads", Line: 5, Text: `"many" is not an integer`}},
		}},
		{"no dead letters", to("", here), strict.Findings{Notes: strict.Errors{{Path: "dead-letters", Line: 1, Text: "not set, so a change that can never be delivered is shipped again and again; name a directory or a destination for them"}}}},
		{"no dead letters, nothing delivered", "destinations: {sink: {urls: [\"https://a\"]}}\nrouting: {mode: skip}\n" + here, strict.Findings{Warnings: strict.Errors{{Path: "destinations.sink", Line: 1, Text: "no routing names it; nothing is sent there"}}}},
		{"check timeout above its interval", to(", health-check: {call-timeout: 5100}", here+safe), strict.Findings{Notes: strict.Errors{{Path: "destinations.sink.health-check.call-timeout", Line: 2, Text: "5.1s is longer than the 5s between checks, so that a check without an answer delays the next"}}}},
		{"clear text everywhere", to("", safe+"service: {port: 8901}"), strict.Findings{Notes: strict.Errors{{Path: "service.address", Line: 5, Text: "0.0.0.0 is every address of this machine, and XDR arrives there in clear text, so whoever reaches the port can send changes; list the networks of the database under allow, or use service.tls with a ca-file"}}}},
		{"clear text everywhere, from some networks", to("", safe+"service: {port: 8901, address: \"::\", allow: [10.0.0.0/8]}"), none},
		{"clear text on private addresses", to("", safe+"service: {port: 8901, address: [127.0.0.1, 10.1.2.3, 172.16.0.1, 192.168.0.1, 100.64.0.1, 169.254.0.1, \"::1\", \"fd00::1\", \"fe80::1%eth0\", \"::ffff:10.0.0.1\", db.internal]}"), none},
		{"clear text on a public address", to("", safe+"service: {port: 8901, address: [10.0.0.1, 203.0.113.5], allow: [10.0.0.0/8]}"), strict.Findings{Warnings: strict.Errors{{Path: "service.address[1]", Line: 5, Text: "203.0.113.5 is not a private address, and XDR arrives there in clear text, which others can read and forge; use service.tls with a ca-file, or a private address"}}}},
		{"TLS on a public address", "service: {tls: {address: 203.0.113.5, port: 1, cert-file: secrets/server.crt, key-file: secrets/server.key}}\n" + to("", safe), none},
	} {
		if diff := cmp.Diff(tt.want, config.Examine([]byte(tt.text), config.Folder(t)), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// Sizes may have units.
func TestParse_sizes(t *testing.T) {
	c := read(t, "service: {max-concurrent-bytes: 256MiB, max-message-bytes: 128 MiB, record-ordering-cache-bytes: 1GiB, socket-receive-buffer-bytes: 64KiB}\n"+
		to(", compression: gzip, compression-threshold: 1_000", "batching: {max-bytes: 1MiB}"), "")
	s := c.Service
	got := []int{s.MaxBytes, s.MaxMessageBytes, s.OrderingBytes, s.ReceiveBuffer, c.Destinations["sink"].GzipThreshold, c.Pipelines.Root.Stream.MaxBytes}
	if diff := cmp.Diff([]int{256 << 20, 128 << 20, 1 << 30, 64 << 10, 1000, 1 << 20}, got); diff != "" {
		t.Errorf("sizes (-want +got):\n%s", diff)
	}
}

// What follows only from a value that was refused is not reported.
func TestExamine_onlyTheError(t *testing.T) {
	const batched = "batching: {max-records: 500}\n"
	sink := func(urls, more string) string {
		return "destinations: {sink: {urls: " + urls + more + "}}\nrouting: {mode: static, destination: sink}\n"
	}
	for name, text := range map[string]string{
		"URL, batching":                    sink("[\"a\"]", "") + batched,
		"URL, TLS":                         sink("[\"a\"]", ", tls: {protocols: TLSv1.3}"),
		"URL, a URL of another":            "destinations: {sink: {urls: [\"b\", \"https://a\"]}, other: {urls: [\"https://a\"]}}\nrouting: {mode: static-multi-destination, destinations: [sink, other]}\n",
		"call timeout, connect timeout":    sink("[\"https://a\"]", ", call-timeout: soon, connect-timeout: 2s"),
		"call timeout, batch interval":     sink("[\"https://a\"]", ", call-timeout: soon") + "batching: {batch-interval: 8500}\n",
		"queue, batching":                  sink("[\"https://a\"]", ", max-request-queued-per-endpoint: 0") + "batching: {max-records: 40000, batch-interval: 0}\nservice: {max-concurrent-records: 50000}\n",
		"compression, threshold":           sink("[\"https://a\"]", ", compression: gz, compression-threshold: 5"),
		"connections, requests":            sink("[\"https://a\"]", ", max-connections-per-endpoint: 0, http2-max-concurrent-streams: 5000"),
		"changes in flight, batching":      sink("[\"https://a\"]", ", max-request-queued-per-endpoint: 99999") + "service: {max-concurrent-records: many}\nbatching: {max-records: 40000}\n",
		"bytes in flight, message":         sink("[\"https://a\"]", "") + "service: {max-concurrent-bytes: many, max-message-bytes: 100MiB}\n",
		"log file, history":                sink("[\"https://a\"]", "") + "logging: {file: \"\", max-history: 5}\n",
		"routing, destination":             "destinations: {sink: {urls: [\"https://a\"]}}\nrouting: {mode: statik, destination: sink}\n",
		"routing of a namespace":           "destinations: {sink: {urls: [\"https://a\"]}}\nrouting: {mode: skip}\nnamespaces: {shop: {rooting: {mode: static, destination: sink}}}\n",
		"namespace, nothing else in it":    sink("[\"https://a\"]", "") + "namespaces: {shop: {rooting: {mode: skip}}}\n",
		"namespace, transformer":           sink("[\"https://a\"]", "") + "namespaces: {shop: {custom-transformer: {class: a.B}}}\n",
		"set, nothing else in it":          sink("[\"https://a\"]", "") + "namespaces: {shop: {sets: {s: {formt: json}}}}\n",
		"port, nothing else in it":         sink("[\"https://a\"]", "") + "service: {port: 1}\nport-based-config: {1: {formt: json}}\n",
		"port of service, port of its own": sink("[\"https://a\"]", "") + "service: {port: http}\nport-based-config: {1: {format: json}}\n",
		"format, Content-Type":             sink("[\"https://a\"]", ", headers: {Content-Type: application/json}") + "format: jason\n",
		"set apart, format":                sink("[\"https://a\"]", "") + "record-ordering: {}\nnamespaces: {shop: {sets: {s: {format: jason}}}}\n",
	} {
		found := config.Examine([]byte(text), config.Folder(t))
		if len(found.Errors) != 1 || len(found.Warnings) > 0 {
			t.Errorf("%s: want one error and nothing else:\n%v\n%v", name, found.Errors, found.Warnings)
		}
	}
	// The routing of other namespaces is missing, whatever is wrong in this one.
	found := config.Examine([]byte("destinations: {sink: {urls: [\"https://a\"]}}\nnamespaces: {shop: {rooting: {mode: skip}}, bank: {routing: {mode: static, destination: sink}}}\n"), "")
	if len(found.Errors) != 1 || len(found.Warnings) != 1 || found.Warnings[0].Path != "routing" {
		t.Errorf("want an error, and a warning about the routing of other namespaces:\n%v\n%v", found.Errors, found.Warnings)
	}
}
