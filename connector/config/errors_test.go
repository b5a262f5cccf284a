package config_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/aerosink/aerosink/connector/config/strict"

	"github.com/aerosink/aerosink/connector/config"
)

// Errors in single keys name the path and what to do.
func TestParse_errors(t *testing.T) {
	destination := "routing: {mode: skip}\ndestinations:\n  sink:\n    urls: [\"http://a\"]\n    "
	routed := "destinations: {sink: {urls: [\"http://a\"]}, audit: {urls: [\"http://a\"]}}\nformat: json\n"
	for _, tt := range []struct{ name, text, want string }{
		{"empty file", "", "the file is empty"},
		{"not YAML", "a: [", "not YAML"},
		{"two documents", minimal + "---\na: b\n", "more than one YAML document"},
		{"list", "- a\n", "a list, want a mapping"},
		{"tab as indentation", "service:\n\tport: 1\n", "line 2: not YAML: a tab in the indentation; write spaces"},
		{"tab in the first line", "\tservice: {}\n", "line 1: not YAML: a tab in the indentation; write spaces"},
		{"tab after spaces", "service:\n  port: 1\n  \taddress: a\n", "line 3: not YAML: a tab in the indentation; write spaces"},
		{"tab before an item", "destinations:\n  a:\n    urls:\n\t- b\n", "line 4: not YAML: a tab in the indentation; write spaces"},
		{"tab elsewhere", "# a\n\n\t\na: @b\n", "line 4: not YAML: found character that cannot start any token"},
		{"template as a key", "{{ .Values.config }}\n", "line 1: a template that was not filled in, want a key"},
		{"list as a key", "[a]: b\n", "line 1: a list, want a key"},
		{"merge of itself", "destinations: {a: &a {<<: *a}}", "destinations.a.<<: a mapping that merges itself"},
		{"merge of a text", "service: {<<: a}", `service.<<: the value "a", want a mapping or a list of mappings, for example *NAME`},
		{"merge of a list of texts", "service: {<<: [{port: 1}, a]}", `service.<<[1]: the value "a", want a mapping, for example *NAME`},
		{"two merge keys", "service: {<<: {port: 1}, <<: {port: 2}}", "service.<<: duplicate key, also on line 1; merge several mappings with a list: [*a, *b]"},
		{"error in a merged key", "destinations:\n  a: &a {call-timeout: soon}\n  b:\n    <<: *a\n", "line 2: destinations.b.call-timeout: invalid duration"},
		{"unknown merged key", "x: &x {call-timout: 1}\ndestinations: {b: {<<: *x}}\n", "line 1: destinations.b.call-timout: unknown key; did you mean call-timeout?"},
		{"missing key beside merged ones", "destinations:\n  a: &a {call-timeout: 1s}\n  b:\n    <<: *a\n", "line 4: destinations.b.urls: missing"},
		{"quoted merge key", "service: {\"<<\": {port: 1}}", "service.<<: unknown key"},
		{"empty mapping", "{}", "destinations: none; name one"},
		{"unknown section", minimal + "fromat: json\n", "line 5: fromat: unknown key; did you mean format?"},
		{"unknown key", destination + "call-timout: 5", "line 5: destinations.sink.call-timout: unknown key; did you mean call-timeout?"},
		{"unknown key, no suggestion", destination + "zzz: 5", "destinations.sink.zzz: unknown key"},
		{"duplicate key", minimal + "format: json\n", "line 5: format: duplicate key, also on line 4"},
		{"list as mapping", "service: [1]", "service: a list, want a mapping"},
		{"mapping as value", destination + "call-timeout: {a: b}", "a mapping, want a single value"},

		{"port out of range", minimal + "service: {port: 70000}", "line 5: service.port[0]: 70000 is not between 0 and 65535"},
		{"port not a number", minimal + "service: {port: http}", `service.port[0]: "http" is not an integer`},
		{"number too large for an int", minimal + "service: {max-concurrent-records: 99999999999999999999}", "service.max-concurrent-records: 99999999999999999999 is not between 1 and"},
		{"number with a trailing underscore", minimal + "service: {max-concurrent-records: 1_}", `"1_" is not an integer`},
		{"number with a leading underscore", minimal + "service: {max-concurrent-records: _1}", `"_1" is not an integer`},
		{"one as a boolean", minimal + "logging: {enable-console-logging: 1}", `logging.enable-console-logging: "1" is not true or false`},
		{"duration too small for an int", destination + "connection-ttl: -9223372036854775808", "destinations.sink.connection-ttl: -9223372036854775808 is not between"},
		{"size with an inner space", minimal + "service: {max-concurrent-bytes: 25 6MiB}", `invalid size "25 6MiB"`},
		{"HTTP from the database", minimal + "service: {protocol: HTTP_2}", "service.protocol: only databases before 5.0 ship changes over HTTP"},
		{"message limit", minimal + "service: {max-message-bytes: 200000000}", "service.max-message-bytes: 200000000 is not between"},
		{"drain timeout too long", minimal + "service: {drain-timeout: 48h}", "service.drain-timeout: 48h is not between 0s and 1h"},
		{"size with an unknown unit", minimal + "service: {max-concurrent-bytes: 256MB}", `service.max-concurrent-bytes: invalid size "256MB": want a number of bytes or, for example, 32MiB`},
		{"fractional size", minimal + "service: {max-concurrent-bytes: 1.5GiB}", `invalid size "1.5GiB"`},
		{"size without a number", minimal + "service: {max-concurrent-bytes: MiB}", `invalid size "MiB"`},
		{"size too small", minimal + "service: {max-concurrent-bytes: 1023KiB}", "service.max-concurrent-bytes: 1023KiB is not between 1048576 and"},
		{"size too large for an int", minimal + "service: {max-message-bytes: 9999999999GiB}", "service.max-message-bytes: 9999999999GiB is not between 1024 and 134217728 bytes"},
		{"negative size", minimal + "service: {socket-receive-buffer-bytes: -1KiB}", "-1KiB is not between 0 and"},
		{"unknown protocol", minimal + "service: {protocol: UDP}", `service.protocol: invalid value "UDP": want one of TCP`},
		{"log level", minimal + "logging: {levels: {root: loud}}", `logging.levels.root: invalid value "loud": want one of`},
		{"directory as log file", minimal + "logging: {file: /tmp}", "logging.file: /tmp is a folder"},

		{"no urls", "routing: {mode: skip}\ndestinations:\n  sink: {}", "line 3: destinations.sink.urls: missing"},
		{"unparsable URL", "destinations: {sink: {urls: [\"::secret\"]}}", "destinations.sink.urls[0]: invalid URL: want https://HOST/PATH"},
		{"scheme not http", "destinations: {sink: {urls: [\"ftp://a\"]}}", `destinations.sink.urls[0]: invalid URL "ftp://a"`},
		{"secret in the query", "destinations: {sink: {urls: [\"ftp://a/in?key=secret\"]}}", `destinations.sink.urls[0]: invalid URL "ftp://a/in"`},
		{"password without a scheme", "destinations: {sink: {urls: [\"user:secret@a/in\"]}}", `destinations.sink.urls[0]: invalid URL "user:"`},
		{"no host", "destinations: {sink: {urls: [\"https:///a\"]}}", "want https://HOST/PATH or http://HOST/PATH"},
		{"password in the URL", "destinations: {sink: {urls: [\"https://a:secret@b\"]}}", "a user or password in the URL; send it in a header"},
		{"mapping as URL", "destinations: {sink: {urls: [{a: b}]}}", "destinations.sink.urls[0]: a mapping, want a single value"},
		{"unknown HTTP version", destination + "protocol: HTTP_3", `invalid value "HTTP_3": want one of HTTP_1_1, HTTP_2; did you mean HTTP_2?`},
		{"HTTP version with a suffix", destination + "protocol: HTTP_2_0", `invalid value "HTTP_2_0": want one of HTTP_1_1, HTTP_2; did you mean HTTP_2?`},
		{"HTTP version without underscore", destination + "protocol: http2", `invalid value "http2": want one of HTTP_1_1, HTTP_2; did you mean HTTP_2?`},
		{"HTTP version with a point", destination + "protocol: http/1.1", "did you mean HTTP_1_1?"},
		{"compression abbreviated", destination + "compression: gz", `invalid value "gz": want one of none, gzip; did you mean gzip?`},
		{"compression, no suggestion", destination + "compression: z", `invalid value "z": want one of none, gzip` + "\n"},
		{"key abbreviated", destination + "health-check: {interval: 5}", "health-check.interval: unknown key; did you mean interval-seconds?"},
		{"port of a URL out of range", "destinations: {sink: {urls: [\"https://h:99999/\"]}}", "destinations.sink.urls[0]: port 99999 is not between 1 and 65535"},
		{"port 0 of a URL", "destinations: {sink: {urls: [\"https://h:0/\"]}}", "destinations.sink.urls[0]: port 0 is not between 1 and 65535"},
		{"headers as a list", destination + "headers: [{X-Team: data}]", "destinations.sink.headers: a list, want a mapping of keys to values, for example {X-Team: data}"},
		{"invalid timeout", destination + "call-timeout: soon", `destinations.sink.call-timeout: invalid duration "soon": want a number of milliseconds or, for example, 1500ms`},
		{"zero timeout", destination + "call-timeout: 0", "0 is not between 1ms and 1h"},
		{"timeout too large for a duration", destination + "call-timeout: 99999999999999", "is not between 1ms and 1h"},
		{"no connections", destination + "max-connections-per-endpoint: 0", "0 is not between 1 and"},
		{"invalid status code", destination + "http-success-status-codes: [200, 600]", "http-success-status-codes[1]: 600 is not between 100 and 599"},
		{"status code not a number", destination + "http-success-status-codes: [OK]", `http-success-status-codes[0]: the value "OK", want a status code from 100 to 599`},
		{"invalid header name", destination + "headers: {\"a b\": c}", "destinations.sink.headers.a b: not a valid name of an HTTP header"},
		{"invalid header value", destination + "headers: {a: \"b\\nc\"}", "destinations.sink.headers.a: not a valid value of an HTTP header"},
		{"header set by the connector", destination + "headers: {content-length: 5}", "headers.content-length: is set by the connector itself"},
		{"switch under headers", destination + "headers: {X-Debug: true}", "destinations.sink.headers.X-Debug: true is a switch, and no switch of this name is known; to send it as a text, write \"true\""},
		{"switch in a list under headers", destination + "headers: {X-Debug: [a, False]}", "destinations.sink.headers.X-Debug: False is a switch, and no switch of this name is known"},
		{"unknown value of a switch", destination + "headers: {send-digest-header: maybe}", `destinations.sink.headers.send-digest-header: "maybe" is not true or false`},
		{"unknown key of a health check", destination + "health-check: {interval: 5}", "destinations.sink.health-check.interval: unknown key"},

		{"no routing", routed, "routing: missing"},
		{"no routing mode", routed + "routing: {destination: sink}", "routing.mode: missing"},
		{"unknown routing mode", routed + "routing: {mode: statik, destination: sink}", `routing.mode: invalid value "statik": want one of static, static-multi-destination, skip; did you mean static?`},
		{"routing mode of message queues", routed + "routing: {mode: namespace}", "routing.mode: is a mode of Aerospike's connectors for message queues; set the routing"},
		{"routing by a bin", routed + "routing: {mode: BIN}", "routing.mode: is a mode of Aerospike's connectors for message queues; set the routing"},
		{"custom routing", routed + "routing: {mode: custom, class: a.B}", "routing.mode: Java classes cannot be loaded"},
		{"unknown destination", routed + "routing: {mode: static, destination: snik}", `routing.destination: no destination is called "snik"; did you mean sink?`},
		{"unknown destination, no suggestion", routed + "routing: {mode: static, destination: function}", `routing.destination: no destination is called "function"; the known ones are audit, sink`},
		{"unknown destination of many", "destinations: {a1: {}, b2: {}, c3: {}, d4: {}, e5: {}, f6: {}}\nrouting: {mode: static, destination: function}", `no destination is called "function"; the known ones are a1, b2, c3, d4, e5 and others`},
		{"duplicate destination", routed + "routing: {mode: static-multi-destination, destinations: [sink, sink]}", `routing.destinations: destination "sink" twice`},
		{"no destinations", routed + "routing: {mode: static-multi-destination, destinations: []}", "routing.destinations: names no destination; to drop changes on purpose write mode: skip"},
		{"two static destinations", routed + "routing: {mode: static, destination: [sink, audit]}", "names 2 destinations; write mode: static-multi-destination"},
		{"key of another mode", routed + "routing: {mode: static, destination: sink, destinations: [audit]}", "routing.destinations: has no effect in mode static"},
		{"key of another mode, skip", routed + "routing: {mode: skip, destination: sink}", "routing.destination: has no effect in mode skip"},
		{"unknown destination in a namespace", routed + "routing: {mode: skip}\nnamespaces: {a: {routing: {mode: static, destination: b}}}", `namespaces.a.routing.destination: no destination is called "b"; the known ones are audit, sink`},
		{"namespaces as a list", routed + "routing: {mode: skip}\nnamespaces: [shop]", "namespaces: a list, want a mapping of keys to values, for example {NAME: {routing: {mode: skip}}}"},
		{"sets as a list", routed + "routing: {mode: skip}\nnamespaces: {headers: {sets: [s]}}", "namespaces.headers.sets: a list, want a mapping of keys to values, for example {NAME:"},
		{"namespace called headers", routed + "routing: {mode: skip}\nnamespaces: {headers: [s]}", "namespaces.headers: a list, want a mapping of keys to values\n"},
		{"unknown key in a set", routed + "routing: {mode: skip}\nnamespaces: {a: {sets: {s: {fromat: json}}}}", "namespaces.a.sets.s.fromat: unknown key; did you mean format?"},

		{"unknown format", minimal[:len(minimal)-len("json\n")] + "jason", `format.mode: invalid value "jason": want one of json`},
		{"custom format", minimal[:len(minimal)-len("json\n")] + "{mode: custom, class: a.B}", "format.mode: Java classes cannot be loaded"},
		{"format without mode", minimal[:len(minimal)-len("json\n")] + "{stringify-map-keys: true}", "format.mode: missing"},
		{"flat-json without a key", minimal[:len(minimal)-len("json\n")] + "flat-json", "format.metadata-key: missing"},
		{"metadata key for json", minimal[:len(minimal)-len("json\n")] + "{mode: json, metadata-key: m}", "format.metadata-key: has no effect in mode json; it belongs to flat-json"},
		{"boolean as text", minimal[:len(minimal)-len("json\n")] + "{mode: json, stringify-map-keys: \"yes\"}", `"yes" is not true or false`},
		{"batch of no records", minimal + "batching: {max-records: 0}", "batching.max-records: 0 is not between 1"},
		{"batch interval above the budget", minimal + "batching: {batch-interval: 9000}", "batching.batch-interval: 9s, but the connector gives up 9s after a change came, and XDR after 10s; leave the key out"},
		{"custom transformer", minimal + "custom-transformer: {class: a.B}", "custom-transformer: Java classes cannot be loaded"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := config.Parse([]byte(tt.text), t.TempDir())
			var errs strict.Errors
			if !errors.As(err, &errs) || !strings.Contains(err.Error()+"\n", tt.want) {
				t.Errorf("error %v, want one that says %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error shows a secret: %v", err)
			}
		})
	}
}
