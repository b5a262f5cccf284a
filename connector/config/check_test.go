package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aerosink/aerosink/connector/config"
)

// finding is a configuration with an error or a warning.
type finding struct {
	name    string
	text    string
	warning bool
	want    string // the path, the reason and the fix
}

// to returns a configuration that sends everything to one destination, with additional keys
// of the destination in flow style, and with additional sections of the root.
func to(destination, more string) string {
	return "destinations:\n  sink: {urls: [\"https://a\"]" + destination + "}\nrouting: {mode: static, destination: sink}\n" + more
}

// findings are about keys that are valid only by themselves, and about files.
var findings = []finding{
	{"ports: XDR and manage", to("", "service: {port: 8902, manage: {port: 8902}}"), false, "service.manage.port: 0.0.0.0:8902 is already the port of service.port; choose another"},
	{"ports: XDR and TLS", to("", "service: {port: 1, address: 127.0.0.1, tls: {port: 1}}"), false, "service.port: 127.0.0.1:1 is already the port of service.tls.port"},
	{"ports: duplicate", to("", "service: {ports: [5, 5]}"), false, "service.ports: 0.0.0.0:5 is already the port of service.ports"},
	{"ports: port in an address", to("", "service: {address: \"10.0.0.1:8901\"}"), false, "service.address: \"10.0.0.1:8901\" includes a port; write the port under port"},
	{"ports: address in brackets", to("", "service: {address: \"[::1]\"}"), false, "service.address: \"[::1]\" has brackets, which only an address with a port needs; write ::1"},
	{"ports: invalid address", to("", "service: {manage: {address: 10.0.0.256}}"), false, "service.manage.address: invalid address \"10.0.0.256\""},
	{"ports: address of three parts", to("", "service: {address: 10.0.1}"), false, "service.address: invalid address \"10.0.1\""},
	{"ports: network as address", to("", "service: {address: 10.0.0.0/8}"), false, "service.address: invalid address \"10.0.0.0/8\""},
	{"ports: empty address", to("", "service: {address: \"\"}"), false, "service.address: invalid address \"\""},
	{"ports: TLS without a port", to("", "service: {tls: {cert-file: secrets/server.crt, key-file: secrets/server.key}}"), false, "service.tls.port: missing"},

	{"TLS: no certificate", to("", "service: {tls: {port: 1}}"), false, "service.tls: a server needs a certificate and its key; use key-store and trust-store"},
	{"TLS: certificate without a key", to("", "service: {tls: {port: 1, cert-file: secrets/server.crt}}"), false, "service.tls: a certificate needs its key, and the reverse; name both files"},
	{"TLS: missing file", to(", tls: {ca-file: secrets/none}", ""), false, "sink.tls.ca-file: stat "},
	{"TLS: file too large", to(", tls: {ca-file: secrets/large}", ""), false, "large has 1048577 bytes, more than 1048576"},
	{"TLS: directory as file", to(", tls: {ca-file: secrets}", ""), false, "secrets is not a regular file"},
	{"TLS: two certificates", to(", tls: {cert-file: secrets/client.crt, key-file: secrets/client.key, key-store: {store-file: secrets/client.p12, store-password-file: secrets/password}}", ""), false, "sink.tls: both a key store and a PEM certificate are set; keep one"},
	{"TLS: store without a file", to(", tls: {key-store: {store-type: JKS}}", ""), false, "sink.tls.key-store.store-file: missing"},
	{"TLS: store without a password", to(", tls: {key-store: {store-file: secrets/client.p12}}", ""), false, "it needs a password"},
	{"TLS: store type of Java only", to(", tls: {key-store: {store-file: secrets/client.p12, store-type: pkcs11}}", ""), false, "sink.tls.key-store.store-type: only Java reads this kind; export to PKCS12"},
	{"TLS: JKS store, command", to(", tls: {trust-store: {store-file: secrets/java.jks, store-password-file: secrets/password}}", ""), false, "convert it with: keytool -importkeystore"},
	{"TLS: JKS store, next step", to(", tls: {trust-store: {store-file: secrets/java.jks, store-password-file: secrets/password}}", ""), false, "secrets/password; and name "},
	{"TLS: unknown store type", to(", tls: {key-store: {store-file: secrets/client.p12, store-type: PEM}}", ""), false, "sink.tls.key-store.store-type: invalid value \"PEM\": want one of PKCS12, JKS, JCEKS"},
	{"TLS: insecure version", to(", tls: {protocols: [TLSv1.1]}", ""), false, "sink.tls.protocols: invalid protocol \"TLSv1.1\": want TLSv1.2 or TLSv1.3; older ones are insecure"},
	{"TLS: no supported cipher", to(", tls: {ciphers: [TLS_RSA_WITH_RC4_128_SHA]}", ""), false, "sink.tls.ciphers: none of TLS_RSA_WITH_RC4_128_SHA is supported; leave the key out"},
	{"TLS: cipher of TLS 1.3", to(", tls: {ciphers: [TLS_AES_128_GCM_SHA256]}", ""), true, "TLS_AES_128_GCM_SHA256 is ignored: cipher suites of TLS 1.3 are always enabled"},
	{"TLS: unsupported cipher", to(", tls: {ciphers: [TLS_DHE_RSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]}", ""), true, "unsupported cipher suite"},
	{"TLS: peer names without authorities", to("", "service: {tls: {port: 1, cert-file: secrets/server.crt, key-file: secrets/server.key, allowed-peer-names: [a]}}"), false, "name the authorities that sign them"},
	{"TLS: empty file name", to("", "service: {tls: {port: 1, cert-file: secrets/server.crt, key-file: secrets/server.key, ca-file: \"\"}}"), false, "service.tls.ca-file: empty; name a file, or leave the key out"},
	{"TLS: null file name", to("", "service: {tls: {port: 1, cert-file: secrets/server.crt, key-file: secrets/server.key, ca-file: }}"), false, "service.tls.ca-file: empty; name a file, or leave the key out"},
	{"TLS: empty store file name", to("", "service: {tls: {port: 1, cert-file: secrets/server.crt, key-file: secrets/server.key, trust-store: {store-file: \"\"}}}"), false, "service.tls.trust-store.store-file: empty; name a file"},
	{"TLS: null store", to("", "service: {tls: {port: 1, cert-file: secrets/server.crt, key-file: secrets/server.key, trust-store: }}"), false, "service.tls.trust-store: empty; name its store-file"},
	{"TLS: empty peer names", to(", tls: {allowed-peer-names: \"\"}", ""), false, "sink.tls.allowed-peer-names: empty; list the names, or leave the key out"},
	{"TLS: one empty peer name", to(", tls: {allowed-peer-names: [a, \"\"]}", ""), false, "sink.tls.allowed-peer-names: one of the names is empty; remove it"},
	{"TLS: empty list of peer names", to(", tls: {allowed-peer-names: []}", ""), false, "sink.tls.allowed-peer-names: empty; list the names, or leave the key out"},
	{"TLS: expired certificate", to("", "service: {tls: {port: 1, cert-file: secrets/ended.crt, key-file: secrets/server.key}}"), true, "line 4: service.tls: the certificate expired on 2001-01-01 00:00 UTC; renew it"},
	{"TLS: certificate not yet valid", to(", tls: {cert-file: secrets/future.crt, key-file: secrets/client.key}", ""), true, "sink.tls: the certificate is not valid before 2201-01-01 00:00 UTC"},
	{"TLS: http URL", "destinations: {sink: {urls: [\"http://a\"], tls: {protocols: TLSv1.2}}}\nrouting: {mode: static, destination: sink}", true, "destinations.sink.tls: has no effect for http URLs; write https"},
	{"TLS: key readable by all users", to(", tls: {cert-file: secrets/client.crt, key-file: secrets/open.key}", ""), true, "sink.tls.key-file: every user of this machine can read it; run chmod o-r "},

	{"destination: duplicate URL", "destinations: {sink: {urls: [\"https://a\", \"https://a\"]}}\nrouting: {mode: static, destination: sink}", true, "sink.urls[1]: the same URL twice; raise max-connections-per-endpoint"},
	{"destination: no URL", "destinations: {sink: {urls: []}}\nrouting: {mode: static, destination: sink}", false, "sink.urls: missing"},
	{"destination: duplicate name", "destinations: {sink: {urls: [\"https://a\"]}, sink: {urls: [\"https://b\"]}}\nrouting: {mode: static, destination: sink}", false, "destinations.sink: duplicate key, also on line 1; remove one"},
	{"destination: URL of another destination", strings.Replace(to("", ""), "sink: {", "sink: {urls: [\"https://a\"]}\n  other: {", 1), true, "urls[0] is also a URL of destination sink; changes that are routed to both are sent to it twice"},
	{"destination: unused", strings.Replace(to("", ""), "sink: {", "other: {urls: [\"https://b\"]}\n  sink: {", 1), true, "destinations.other: no routing names it; nothing is sent there"},
	{"destination: connect timeout above call timeout", to(", connect-timeout: 2s", ""), true, "sink.connect-timeout: 2s never expires, since the whole request has 1s; lower it below call-timeout"},
	{"destination: call timeout above XDR's", to(", call-timeout: 10s", ""), true, "sink.call-timeout: 10s never expires, since the connector gives up 9s after a change came, and XDR after 10s; 8s leaves time"},
	{"destination: call timeout above the budget", to(", call-timeout: 9001", ""), true, "sink.call-timeout: 9.001s never expires, since the connector gives up 9s"},
	{"destination: call timeout in seconds", to(", call-timeout: 5", ""), true, "sink.call-timeout: 5 is 5ms; if seconds are meant write 5s"},
	{"destination: connection TTL in seconds", to(", connection-ttl: 300", ""), true, "sink.connection-ttl: 300 is 300ms; if seconds are meant write 300s"},
	{"destination: interval in milliseconds", to(", health-check: {interval-seconds: 5000}", ""), true, "health-check.interval-seconds: 5000 is 1h23m20s; if milliseconds are meant write 5000ms"},
	{"destination: threshold without gzip", to(", compression-threshold: 1000", ""), true, "sink.compression-threshold: has no effect without compression: gzip"},
	{"destination: streams without HTTP/2", to(", protocol: HTTP_1_1, http2-max-concurrent-streams: 5", ""), true, "has no effect with protocol: HTTP_1_1; raise max-connections-per-endpoint"},
	{"destination: more requests than partitions", to(", max-connections-per-endpoint: 50", ""), true, "5000 requests at once, of which only 4096 are ever used"},
	{"destination: no success status", to(", http-success-status-codes: []", ""), false, "http-success-status-codes: empty, so nothing would ever be delivered"},

	{"token: in clear text", "destinations: {sink: {urls: [\"http://a\"], auth: {mode: google-id-token}}}\nrouting: {mode: static, destination: sink}", false, "sink.auth.mode: a secret would go to http://a in clear text; write https"},
	{"token: in a header in clear text", "destinations: {sink: {urls: [\"http://a\"], headers: {X-K: {file: secrets/token}}}}\nrouting: {mode: static, destination: sink}", false, "sink.headers: a secret would go to http://a in clear text; write https"},
	{"token: no mode", to(", auth: {audience: a}", ""), false, "sink.auth.mode: missing; write google-id-token, bearer or none"},
	{"token: no file", to(", auth: {mode: bearer}", ""), false, "sink.auth.token-file: missing; name the file that holds the token"},
	{"token: several lines", to(", auth: {mode: bearer, token-file: secrets/lines}", ""), false, "secrets/lines has several lines, or characters that an HTTP header cannot have; it must hold only the secret"},
	{"token: empty file name", to(", auth: {mode: bearer, token-file: \"\"}", ""), false, "sink.auth.token-file: empty; name a file, or leave the key out"},
	{"token: empty audience", to(", auth: {mode: google-id-token, audience: \"\"}", ""), false, "sink.auth.audience: empty; name it, or leave the key out"},
	{"token: empty file", to(", auth: {mode: bearer, token-file: secrets/empty}", ""), false, "sink.auth.token-file: read "},
	{"token: file for google-id-token", to(", auth: {mode: google-id-token, token-file: secrets/token}", ""), false, "sink.auth.token-file: belongs to mode bearer"},
	{"token: audience without a mode for it", to(", auth: {mode: none, audience: a}", ""), false, "sink.auth.audience: belongs to mode google-id-token"},
	{"token: Authorization header too", to(", auth: {mode: bearer, token-file: secrets/token}, headers: {authorization: {file: secrets/token}}", ""), false, "sink.auth.mode: headers has authorization too; keep one of the two"},
	{"header: secret in the configuration", to(", headers: {Authorization: secret}", ""), true, "sink.headers.Authorization: a secret in the configuration; put it into a file, and write {file: PATH}"},
	{"header: unknown fact", to(", headers: {X-A: {value: key}}", ""), false, "sink.headers.X-A.value: invalid value \"key\": want one of namespace, set, digest, count, format"},
	{"header: value and file", to(", headers: {X-A: {value: set, file: secrets/token}}", ""), false, "sink.headers.X-A: needs either a value or a file"},
	{"header: header of a connection", to(", headers: {upgrade: websocket}", ""), false, "sink.headers.upgrade: belongs to the connection, not to a request; remove it"},
	{"header: not in HTTP/2", to(", headers: {Keep-Alive: \"5\"}", ""), false, "sink.headers.Keep-Alive: belongs to the connection"},
	{"header: secret of several lines", to(", headers: {X-A: {file: secrets/lines}}", ""), false, "secrets/lines has several lines, or characters that an HTTP header cannot have; it must hold only the secret"},
	{"header: empty file name", to(", headers: {X-A: {file: \"\"}}", ""), false, "sink.headers.X-A.file: empty; name a file, or leave the key out"},
	{"header: neither value nor file", to(", headers: {X-A: {}}", ""), false, "sink.headers.X-A: needs either a value or a file"},

	{"header: digest and batching", to(", headers: {send-digest-header: true}", "batching: {max-records: 20}"), true, "batching.max-records: 20, but destination sink has a header with the digest, which only requests of one change have; with enabled: false all are"},
	{"header: digest by another name, and batching", to(", headers: {X-Hash: {value: digest}}", "namespaces: {a: {batching: {}}}"), true, "namespaces.a.batching.max-records: 500, but destination sink has a header with the digest"},
	{"header: the same in two spellings", to(", headers: {X-Team: a, x-team: b}", ""), false, "sink.headers.x-team: sets the same header as X-Team; remove one, or write a list of values"},
	{"header: Content-Type in two spellings", to(", headers: {Content-Type: application/octet-stream, content-type: application/json}", ""), false, "sink.headers.content-type: sets the same header as Content-Type"},
	{"header: digest twice", to(", headers: {Aerosink-Digest: {value: digest}, send-digest-header: true}", ""), false, "sink.headers.send-digest-header: sets the same header as Aerosink-Digest"},
	{"header: Content-Type of another format", to(", headers: {content-type: application/json}", "format: message-pack"), false, "line 2: destinations.sink.headers.content-type: not another name of application/x-msgpack, which is what requests have; leave the header out"},
	{"header: Content-Type of no format", to(", headers: {Content-Type: text/html}", "format: json"), false, "sink.headers.Content-Type: \"text/html\" is not another name of a media type that the connector sends; leave the header out"},
	{"header: invalid Content-Type", to(", headers: {Content-Type: json; a}", "format: json"), false, "sink.headers.Content-Type: \"json; a\" is not another name of a media type"},
	{"header: two values of Content-Type", to(", headers: {Content-Type: [application/json, text/json]}", "format: json"), false, "sink.headers.Content-Type: want a single media type, for example application/json; charset=utf-8"},
	{"header: Content-Type from a file", to(", headers: {Content-Type: {file: secrets/token}}", "format: json"), false, "sink.headers.Content-Type[0]: a mapping, want a single value"},
	{"header: Content-Type as a switch", to(", headers: {Content-Type: true}", "format: json"), false, "sink.headers.Content-Type: true is a switch"},
	{"header: Content-Type", to(", headers: {Content-Type: application/json; charset=utf-8}", "format: json"), true, "line 2: destinations.sink.headers.Content-Type: sent instead of application/json; leave the header out unless the receiver needs it"},
	{"header: Content-Type, batching", to(", headers: {Content-Type: application/vnd.elastic+json}", "format: json\nbatching: {}"), true, "sink.headers.Content-Type: sent instead of application/json; requests with application/x-ndjson keep that, since it is not another name of it"},
	{"header: Content-Type, two formats", to(", headers: {Content-Type: application/msgpack}", "format: avro\nnamespaces: {a: {format: message-pack}}"), false, "format.schema: needs either"},
	{"header: Content-Type, of one of two formats", to(", headers: {Content-Type: application/msgpack}", "format: json\nnamespaces: {a: {format: message-pack}}"), true, "sent instead of application/x-msgpack; requests with application/json keep that"},
	{"header: Content-Type, dead letters", "destinations: {sink: {urls: [\"https://a\"]}, dead: {urls: [\"https://b\"], headers: {Content-Type: application/json}}}\nrouting: {mode: static, destination: sink}\nformat: json\ndead-letters: {destination: dead}", false, "destinations.dead.headers.Content-Type: not another name of application/octet-stream"},

	{"allow: not a network", to("", "service: {allow: [10.0.0.0/8, db.internal]}"), false, "line 4: service.allow[1]: invalid network \"db.internal\": want, for example, 10.0.0.0/8 or 10.0.0.5"},
	{"allow: network with a port", to("", "service: {allow: \"10.0.0.5:8901\"}"), false, "service.allow[0]: invalid network \"10.0.0.5:8901\""},
	{"allow: prefix too long", to("", "service: {allow: 10.0.0.0/33}"), false, "service.allow[0]: invalid network \"10.0.0.0/33\""},
	{"allow: address inside a network", to("", "service: {allow: 10.1.2.3/8}"), false, "service.allow[0]: 10.1.2.3/8 is an address inside a network; write 10.0.0.0/8 for the network, or 10.1.2.3 for the address"},
	{"allow: nothing", to("", "service: {allow: }"), false, "service.allow: empty; list networks such as 10.0.0.0/8, or leave the key out"},
	{"allow: empty list", to("", "service: {allow: []}"), false, "service.allow: empty; list networks such as 10.0.0.0/8, or leave the key out"},

	{"sets: routed apart", strings.Replace(to("", "namespaces: {a: {sets: {b: {routing: {mode: static, destination: other}}}}}"), "sink: {", "other: {urls: [\"https://b\"]}\n  sink: {", 1), true, "line 5: namespaces.a.sets.b: routed apart from its namespace: a delete may come without its set, and then does not reach other; route the namespace there too"},
	{"sets: routed, and the namespace skipped", to("", "namespaces: {a: {routing: {mode: skip}, sets: {b: {routing: {mode: static, destination: sink}}}}}"), true, "namespaces.a.sets.b: routed apart from its namespace: a delete may come without its set, and then does not reach sink"},

	{"batching: interval and call timeout above XDR's", to(", call-timeout: 5s", "batching: {batch-interval: 8000}"), true, "batching.batch-interval: 8s, and then destination sink may take 5s (call-timeout), but the connector gives up 9s after a change came, and XDR after 10s; lower one"},
	{"batching: interval and call timeout above the budget", to("", "batching: {batch-interval: 8001}"), true, "batching.batch-interval: 8.001s, and then destination sink may take 1s (call-timeout), but the connector gives up 9s"},
	{"batching: negative interval", to("", "batching: {batch-interval: -1}"), false, "batching.batch-interval: -1 is not between 0s and 1h"},
	{"batching: batch above the queue", to(", max-request-queued-per-endpoint: 100", "batching: {max-records: 101}"), true, "batching.max-records: 101, but destination sink queues only 100 changes; lower it"},
	{"batching: batch above the queue, with an interval", to(", max-request-queued-per-endpoint: 100", "batching: {max-records: 101, batch-interval: 10}"), true, "so that a request waits for the whole batch-interval or max-bytes; lower it, or raise max-request-queued-per-endpoint"},
	{"batching: records above the connector's limit", to("", "service: {max-concurrent-records: 10}\nbatching: {max-records: 11}"), true, "batching.max-records: 11, but only 10 changes are in flight at once"},
	{"batching: bytes above the connector's limit", to("", "batching: {max-bytes: 67108865}"), true, "batching.max-bytes: 67108865, but only 67108864 bytes are in flight at once"},
	{"batching: interval for single records", to("", "batching: {max-records: 1, batch-interval: 10}"), true, "batching.batch-interval: has no effect with max-records: 1"},
	{"batching: of a set", to(", call-timeout: 5s", "namespaces: {a: {sets: {b: {batching: {batch-interval: 8000}}}}}"), true, "namespaces.a.sets.b.batching.batch-interval: 8s, and then"},
	{"service: message limit above the bytes in flight", to("", "service: {max-concurrent-bytes: 1048576}"), true, "service.max-message-bytes: 8388608, but the connector holds only 1048576 bytes at once"},
	{"service: drain timeout in seconds", to("", "service: {drain-timeout: 10}"), true, "service.drain-timeout: 10 is 10ms; if seconds are meant write 10s"},

	{"ordering: set with another format", to("", "record-ordering: {}\nnamespaces: {a: {sets: {b: {format: json}}}}"), true, "namespaces.a.sets.b: differs from its namespace in routing, format or batching; a delete without a set"},
	{"ordering: TTL below XDR's timeout", to("", "record-ordering: {lut-cache-ttl-seconds: 5}"), true, "record-ordering.lut-cache-ttl-seconds: 5s is less than the 10s"},
	{"ordering: invalid TTL", to("", "record-ordering: {lut-cache-ttl-seconds: long}"), false, "invalid duration \"long\": want a number of seconds or, for example, 1500ms"},
	{"ordering: unknown value of stale", to("", "record-ordering: {stale: drop}"), false, "record-ordering.stale: invalid value \"drop\": want one of ack, retry"},

	{"dead letters: unknown destination", to("", "dead-letters: {destination: snik}"), false, "dead-letters.destination: no destination is called \"snik\"; did you mean sink?"},
	{"dead letters: routed destination", to("", "dead-letters: {destination: sink}"), false, "dead-letters.destination: changes are routed to sink, and those that it refuses would be sent to it again; name another"},
	{"dead letters: one of two routed destinations", "destinations: {a: {urls: [\"https://a\"]}, b: {urls: [\"https://b\"]}}\nrouting: {mode: static-multi-destination, destinations: [a, b]}\ndead-letters: {destination: b}", false, "dead-letters.destination: changes are routed to b, and those that it refuses would be sent to it again; name another"},
	{"dead letters: routed destination of a set", strings.Replace(to("", "dead-letters: {destination: other}\nnamespaces: {a: {sets: {b: {routing: {mode: static, destination: other}}}}}"), "sink: {", "other: {urls: [\"https://b\"]}\n  sink: {", 1), false, "dead-letters.destination: changes are routed to other"},
	{"dead letters: destination and directory", to("", "dead-letters: {destination: sink, directory: secrets}"), false, "dead-letters: needs either a destination or a directory"},
	{"dead letters: neither destination nor directory", to("", "dead-letters: {}"), false, "dead-letters: needs either a destination or a directory"},
	{"dead letters: empty directory name", to("", "dead-letters: {directory: \"\"}"), false, "dead-letters.directory: empty; name a folder, or leave the key out"},
	{"dead letters: empty destination name", to("", "dead-letters: {destination: \"\"}"), false, "dead-letters.destination: empty; name one, or leave the key out"},
	{"dead letters: missing parent directory", to("", "dead-letters: {directory: none/letters}"), false, "/none: no such file or directory; create it if it is missing, and make it writable for the user of the connector"},
	{"dead letters: read-only directory", to("", "dead-letters: {directory: /proc}"), false, "dead-letters.directory: cannot create files in /proc: "},
	{"dead letters: read-only parent directory", to("", "dead-letters: {directory: /proc/letters}"), false, "dead-letters.directory: cannot create files in /proc: "},
	{"dead letters: file as directory", to("", "dead-letters: {directory: secrets/token}"), false, "secrets/token is not a directory"},

	{"routing: only in a namespace", "destinations: {sink: {urls: [\"https://a\"]}}\nnamespaces: {shop: {routing: {mode: static, destination: sink}}}", true, "line 1: routing: missing; changes of other namespaces are skipped; write routing: {mode: skip} if that is intended"},
	{"routing: only in a set", "destinations: {sink: {urls: [\"https://a\"]}}\nnamespaces: {shop: {sets: {s: {routing: {mode: static, destination: sink}}}}}", true, "line 2: namespaces.shop.routing: missing; changes of its other sets, and those without a set, are skipped"},
	{"routing: nowhere", "destinations: {sink: {urls: [\"https://a\"]}}\nnamespaces: {shop: {format: json}}", true, "line 2: namespaces.shop.routing: missing; changes of this namespace are skipped"},

	{"names: namespace too long", to("", "namespaces: {"+strings.Repeat("n", 32)+": {format: json}}"), false, "invalid namespace name: want 1 to 31 bytes, got 32"},
	{"names: set too long", to("", "namespaces: {a: {sets: {"+strings.Repeat("s", 64)+": {format: json}}}}"), false, "invalid set name: want 1 to 63 bytes, got 64"},
	{"names: empty namespace", to("", "namespaces: {a: {}}"), true, "namespaces.a: has no settings of its own; remove it"},
	{"names: empty set", to("", "namespaces: {a: {format: json, sets: {b: {}}}}"), true, "namespaces.a.sets.b: has no settings of its own; remove it"},

	{"bins: name too long", to("", "bin-transforms: {exclude: {bins: [abcdefghijklmnop]}}"), false, "bin-transforms.exclude.bins: invalid bin name \"abcdefghijklmnop\": want 1 to 15 bytes, got 16"},
	{"bins: renamed name too long", to("", "bin-transforms: {map: {abcdefghijklmnop: a}}"), false, "bin-transforms.map.abcdefghijklmnop: invalid bin name"},
	{"bins: rename to an empty name", to("", "bin-transforms: {map: {a: \"\"}}"), false, "bin-transforms.map.a: no name; to leave the bin out put it under exclude"},
	{"bins: two renamed to the same name", to("", "bin-transforms: {map: {a: c, b: c}}"), true, "bin-transforms.map.b: becomes c, and so does a; a change that has both cannot be delivered"},
	{"bins: specified without names", to("", "bin-transforms: {include: specified}"), false, "bin-transforms.include.bins: missing; list the bins"},
	{"bins: all with names", to("", "bin-transforms: {include: {type: all, bins: [a]}}"), true, "bin-transforms.include.bins: has no effect with type: all; write type: specified"},
	{"bins: included and excluded", to("", "bin-transforms: {include: {bins: [a, b]}, exclude: {bins: [a]}}"), true, "bin-transforms.include: bin a is excluded too; exclude wins"},
	{"bins: none left", to("", "bin-transforms: {include: none}"), true, "bin-transforms.include: no bins are delivered, only metadata"},
	{"bins: unknown transform", to("", "bin-transforms: {transforms: [upercase]}"), false, "bin-transforms.transforms[0]: invalid value \"upercase\": want one of uppercase, lowercase, trim"},
	{"bins: pattern of Java only", to("", "bin-transforms: {transforms: [{regex: {pattern: \"a(?!b)\", replacement: \"\"}}]}"), false, "transforms[0].regex: pattern: error parsing regexp"},
	{"bins: replacement with an unknown group", to("", "bin-transforms: {transforms: [{regex: {pattern: a, replacement: $1}}]}"), false, "transforms[0].regex: replacement: group $1, but the pattern has 0 groups"},
	{"bins: pattern without a replacement", to("", "bin-transforms: {transforms: [{regex: {pattern: a}}]}"), false, "transforms[0].regex: needs a pattern and a replacement"},

	{"format: avro without a schema", to("", "format: avro"), false, "format.schema: needs either a schema or a schema-file"},
	{"format: avro with two schemas", to("", "format: {mode: avro, schema: \"{}\", schema-file: change.avsc}"), false, "format.schema: needs either a schema or a schema-file"},
	{"format: invalid schema", to("", "format: {mode: avro, schema: x}"), false, "format.schema: avro schema: "},
	{"format: empty schema file name", to("", "format: {mode: avro, schema-file: \"\"}"), false, "format.schema-file: empty; name a file, or leave the key out"},
	{"format: empty metadata key", to("", "format: {mode: avro, schema-file: change.avsc, metadata-key: \"\"}"), false, "format.metadata-key: empty; name it, or leave the key out"},
	{"format: invalid schema file", to("", "format: {mode: avro, schema-file: secrets/token}"), false, "format.schema-file: avro schema: "},
	{"format: schema for json", to("", "format: {mode: json, schema: x}"), false, "format.schema: has no effect in mode json; it belongs to avro"},
	{"format: unknown mode, custom is not suggested", to("", "format: {mode: custm}"), false, "format.mode: invalid value \"custm\": want one of json, flat-json, message-pack, avro, xdr"},
	{"format: Java class", to("", "format: {mode: custom, class: a.B}"), false, "format.mode: Java classes cannot be loaded; choose json"},
	{"transformer: Java class", to("", "custom-transformer: {class: a.B}"), false, "custom-transformer: Java classes cannot be loaded; choose and rename bins with bin-transforms"},

	{"ignored: threads", to("", "service: {io-threads: 4}"), true, "service.io-threads: ignored: goroutines are not threads; set GOMAXPROCS"},
	{"ignored: workers", to("", "service: {worker-threads: 4}"), true, "service.worker-threads: ignored"},
	{"ignored: requests", to("", "service: {max-concurrent-requests: 4}"), true, "service.max-concurrent-requests: ignored"},
	{"ignored: buffering", to("", "service: {enable-tcp-xdr-ack-buffering: false}"), true, "service.enable-tcp-xdr-ack-buffering: ignored: replies that are ready"},
	{"ignored: streams", to("", "service: {http2-max-concurrent-streams: 0}"), true, "service.http2-max-concurrent-streams: ignored"},
	{"ignored: ticker", to("", "logging: {ticker-interval: 5}"), true, "logging.ticker-interval: ignored: statistics are metrics"},
	{"log: missing parent directory", to("", "logging: {file: none/log/a.log}"), false, "logging.file: cannot create files in "},
	{"log: read-only directory", to("", "logging: {file: /proc/a.log}"), false, "logging.file: cannot create files in /proc: "},
	{"log: file as directory", to("", "logging: {file: secrets/token/a.log}"), false, "secrets/token is not a directory"},
	{"log: empty file name", to("", "logging: {file: \"\"}"), false, "logging.file: empty; name a file, or leave the key out"},
	{"ignored: history without a file", to("", "logging: {max-history: 5}"), true, "logging.max-history: ignored: it needs logging.file"},
	{"ignored: loggers", to("", "logging: {levels: {record-parser: debug}}"), true, "logging.levels.record-parser: ignored: there is one level"},
}

func TestParse_findings(t *testing.T) {
	folder := config.Folder(t)
	for name, content := range map[string]string{"open.key": "client.key", "empty": "", "lines": "secret\nmore", "large": strings.Repeat(" ", 1<<20+1), "java.jks": "\xfe\xed\xfe\xed"} {
		text := []byte(content)
		if name == "open.key" {
			var err error
			if text, err = os.ReadFile(filepath.Join(folder, "secrets", content)); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(folder, "secrets", name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range findings {
		t.Run(m.name, func(t *testing.T) {
			c, err := config.Parse([]byte(m.text), folder)
			found := err
			if m.warning && err == nil {
				found = c.Warnings
			}
			if (err == nil) != m.warning || !strings.Contains(found.Error(), m.want) {
				t.Errorf("got %v, want %q", found, m.want)
			}
			if found != nil && strings.Contains(found.Error(), "secret\n") {
				t.Errorf("the text shows a secret: %v", found)
			}
		})
	}
}

// The configuration that the findings are made from has none, and neither has one that skips
// changes on purpose.
func TestParse_noFindings(t *testing.T) {
	for _, text := range []string{
		to("", "format: json"),
		to(", headers: {send-digest-header: true}", "batching: {max-records: 1}"),
		to(", headers: {send-digest-header: \"false\", X-Debug: \"true\"}", "batching: {}"),
		to("", "record-ordering: {}\nnamespaces: {a: {sets: {b: {routing: {mode: static, destination: sink}, bin-transforms: {exclude: {bins: [x]}}}}}}"),
		to("", "namespaces: {a: {format: json, sets: {b: {routing: {mode: skip}}}}}"),
		"destinations: {sink: {urls: [\"https://a\"]}}\nrouting: {mode: skip}\nnamespaces: {shop: {routing: {mode: static, destination: sink}, sets: {s: {routing: {mode: skip}}}}}",
	} {
		c, err := config.Parse([]byte(text), "")
		if err != nil || len(c.Warnings) > 0 {
			t.Errorf("%s\nerror %v, warnings %v", text, err, c.Warnings)
		}
	}
}

// A proxy passes clear-text requests on over HTTP/1.1.
func TestParse_proxy(t *testing.T) {
	for name, value := range map[string]string{"HTTP_PROXY": "http://user:secret@proxy.example:3128", "HTTPS_PROXY": "http://proxy.example:3128", "NO_PROXY": "inside.example"} {
		t.Setenv(name, value)
		t.Setenv(strings.ToLower(name), value)
	}
	of := func(url, protocol string) string {
		return "destinations: {sink: {urls: [\"" + url + "\"], protocol: " + protocol + "}}\nrouting: {mode: static, destination: sink}\nformat: json"
	}
	for _, text := range []string{
		of("http://there.example/in", "HTTP_1_1"), of("https://there.example/in", "HTTP_2"), of("http://inside.example:8080/in", "HTTP_2"), of("http://127.0.0.1:8080/in", "HTTP_2"),
	} {
		if _, err := config.Parse([]byte(text), ""); err != nil {
			t.Errorf("%s\nerror %v", text, err)
		}
	}
	_, err := config.Parse([]byte(of("http://there.example:8080/in", "HTTP_2")), "")
	const want = "destinations.sink.urls[0]: the proxy http://proxy.example:3128 does not pass clear-text HTTP/2 on; use https, protocol: HTTP_1_1, or add there.example:8080 to NO_PROXY"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
	t.Setenv("REQUEST_METHOD", "GET") // as CGI does, where a client could set HTTP_PROXY
	_, err = config.Parse([]byte(of("http://there.example/in", "HTTP_1_1")), "")
	if err == nil || !strings.Contains(err.Error(), "destinations.sink.urls[0]: cannot find its proxy: refusing to use HTTP_PROXY") {
		t.Errorf("error %v, want one about CGI", err)
	}
}
