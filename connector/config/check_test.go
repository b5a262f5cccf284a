package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aerosink/aerosink/connector/config"
)

// A mistake is a fault, or, where the configuration still does something that its
// writer may want, a warning.
type mistake struct {
	name    string
	text    string
	warning bool
	want    string // the path, the reason and the fix
}

// to returns a configuration whose destination has more keys, and whose root has
// more sections.
func to(destination, more string) string {
	return "destinations:\n  sink: {urls: [\"https://a\"]" + destination + "}\nrouting: {mode: static, destination: sink}\n" + more
}

// mistakes are those of keys that are right alone, and of files.
var mistakes = []mistake{
	{"ports: XDR and manage", to("", "service: {port: 8902, manage: {port: 8902}}"), false, "service.manage.port: 0.0.0.0:8902 is already the port of service.port; choose another"},
	{"ports: XDR and TLS", to("", "service: {port: 1, address: 127.0.0.1, tls: {port: 1}}"), false, "service.port: 127.0.0.1:1 is already the port of service.tls.port"},
	{"ports: one twice", to("", "service: {ports: [5, 5]}"), false, "service.ports: 0.0.0.0:5 is already the port of service.ports"},
	{"ports: in an address", to("", "service: {address: \"10.0.0.1:8901\"}"), false, "service.address: \"10.0.0.1:8901\" has a port in it; an address stands alone"},
	{"ports: an address in brackets", to("", "service: {address: \"[::1]\"}"), false, "service.address: \"[::1]\" has brackets, which only an address with a port needs; write ::1"},
	{"ports: no address", to("", "service: {manage: {address: 10.0.0.256}}"), false, "service.manage.address: invalid address \"10.0.0.256\""},
	{"ports: three parts of an address", to("", "service: {address: 10.0.1}"), false, "service.address: invalid address \"10.0.1\""},
	{"ports: a network for an address", to("", "service: {address: 10.0.0.0/8}"), false, "service.address: invalid address \"10.0.0.0/8\""},
	{"ports: an empty address", to("", "service: {address: \"\"}"), false, "service.address: invalid address \"\""},
	{"ports: TLS without one", to("", "service: {tls: {cert-file: secrets/server.crt, key-file: secrets/server.key}}"), false, "service.tls.port: missing"},

	{"TLS: no certificate", to("", "service: {tls: {port: 1}}"), false, "service.tls: a server needs a certificate and its key; say it with key-store"},
	{"TLS: half a pair", to("", "service: {tls: {port: 1, cert-file: secrets/server.crt}}"), false, "service.tls: a certificate needs its key, and the reverse; name both files"},
	{"TLS: files that are not there", to(", tls: {ca-file: secrets/none}", ""), false, "sink.tls.ca-file: stat "},
	{"TLS: a file beyond measure", to(", tls: {ca-file: secrets/large}", ""), false, "large has 1048577 bytes, more than 1048576"},
	{"TLS: a folder", to(", tls: {ca-file: secrets}", ""), false, "secrets is not a regular file"},
	{"TLS: two kinds of certificate", to(", tls: {cert-file: secrets/client.crt, key-file: secrets/client.key, key-store: {store-file: secrets/client.p12, store-password-file: secrets/password}}", ""), false, "sink.tls: both a key store and a PEM certificate are set; keep one"},
	{"TLS: a store without a file", to(", tls: {key-store: {store-type: JKS}}", ""), false, "sink.tls.key-store.store-file: missing"},
	{"TLS: a store without its password", to(", tls: {key-store: {store-file: secrets/client.p12}}", ""), false, "it needs a password"},
	{"TLS: a store of Java alone", to(", tls: {key-store: {store-file: secrets/client.p12, store-type: pkcs11}}", ""), false, "sink.tls.key-store.store-type: only Java reads this kind; export to PKCS12"},
	{"TLS: Java's own store", to(", tls: {trust-store: {store-file: secrets/java.jks, store-password-file: secrets/password}}", ""), false, "convert it with: keytool -importkeystore"},
	{"TLS: Java's own store, and then", to(", tls: {trust-store: {store-file: secrets/java.jks, store-password-file: secrets/password}}", ""), false, "secrets/password; and name "},
	{"TLS: a kind of store that is none", to(", tls: {key-store: {store-file: secrets/client.p12, store-type: PEM}}", ""), false, "sink.tls.key-store.store-type: invalid value \"PEM\": want one of PKCS12, JKS, JCEKS"},
	{"TLS: a broken version", to(", tls: {protocols: [TLSv1.1]}", ""), false, "sink.tls.protocols: invalid protocol \"TLSv1.1\": want TLSv1.2 or TLSv1.3; older ones are insecure"},
	{"TLS: no cipher left", to(", tls: {ciphers: [TLS_RSA_WITH_RC4_128_SHA]}", ""), false, "sink.tls.ciphers: none of TLS_RSA_WITH_RC4_128_SHA can be had; leave the key out"},
	{"TLS: a cipher that is always on", to(", tls: {ciphers: [TLS_AES_128_GCM_SHA256]}", ""), true, "TLS_AES_128_GCM_SHA256 is ignored: cipher suites of TLS 1.3 are always enabled"},
	{"TLS: a cipher that cannot be had", to(", tls: {ciphers: [TLS_DHE_RSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]}", ""), true, "unsupported cipher suite"},
	{"TLS: names of clients that show nothing", to("", "service: {tls: {port: 1, cert-file: secrets/server.crt, key-file: secrets/server.key, allowed-peer-names: [a]}}"), false, "name the authorities that sign them"},
	{"TLS: an empty name of a file", to("", "service: {tls: {port: 1, cert-file: secrets/server.crt, key-file: secrets/server.key, ca-file: \"\"}}"), false, "service.tls.ca-file: empty; name a file, or leave the key out"},
	{"TLS: no name of a file", to("", "service: {tls: {port: 1, cert-file: secrets/server.crt, key-file: secrets/server.key, ca-file: }}"), false, "service.tls.ca-file: empty; name a file, or leave the key out"},
	{"TLS: an empty name of a store", to("", "service: {tls: {port: 1, cert-file: secrets/server.crt, key-file: secrets/server.key, trust-store: {store-file: \"\"}}}"), false, "service.tls.trust-store.store-file: empty; name a file"},
	{"TLS: an empty store", to("", "service: {tls: {port: 1, cert-file: secrets/server.crt, key-file: secrets/server.key, trust-store: }}"), false, "service.tls.trust-store: empty; name its store-file"},
	{"TLS: an empty name of a peer", to(", tls: {allowed-peer-names: \"\"}", ""), false, "sink.tls.allowed-peer-names: empty; list the names, or leave the key out"},
	{"TLS: one empty name of a peer", to(", tls: {allowed-peer-names: [a, \"\"]}", ""), false, "sink.tls.allowed-peer-names: one of the names is empty; remove it"},
	{"TLS: no name of a peer", to(", tls: {allowed-peer-names: []}", ""), false, "sink.tls.allowed-peer-names: empty; list the names, or leave the key out"},
	{"TLS: a certificate that ended", to("", "service: {tls: {port: 1, cert-file: secrets/ended.crt, key-file: secrets/server.key}}"), true, "line 4: service.tls: the certificate ended on 2001-01-01 00:00 UTC, and whoever sees it refuses it; renew it"},
	{"TLS: a certificate of the future", to(", tls: {cert-file: secrets/future.crt, key-file: secrets/client.key}", ""), true, "sink.tls: the certificate begins only on 2201-01-01 00:00 UTC"},
	{"TLS: on http", "destinations: {sink: {urls: [\"http://a\"], tls: {protocols: TLSv1.2}}}\nrouting: {mode: static, destination: sink}", true, "destinations.sink.tls: means nothing for URLs of http; write https"},
	{"TLS: a key for everybody", to(", tls: {cert-file: secrets/client.crt, key-file: secrets/open.key}", ""), true, "sink.tls.key-file: every user of this machine can read it; run chmod o-r "},

	{"destination: one URL twice", "destinations: {sink: {urls: [\"https://a\", \"https://a\"]}}\nrouting: {mode: static, destination: sink}", true, "sink.urls[1]: the same URL twice; raise max-connections-per-endpoint"},
	{"destination: no URL", "destinations: {sink: {urls: []}}\nrouting: {mode: static, destination: sink}", false, "sink.urls: missing"},
	{"destination: one name twice", "destinations: {sink: {urls: [\"https://a\"]}, sink: {urls: [\"https://b\"]}}\nrouting: {mode: static, destination: sink}", false, "destinations.sink: duplicate key, also on line 1; remove one"},
	{"destination: another's URL", strings.Replace(to("", ""), "sink: {", "sink: {urls: [\"https://a\"]}\n  other: {", 1), true, "urls[0] is also that of destination sink; what is routed to both comes twice"},
	{"destination: unused", strings.Replace(to("", ""), "sink: {", "other: {urls: [\"https://b\"]}\n  sink: {", 1), true, "destinations.other: no routing names it; nothing is sent there"},
	{"destination: connects longer than it calls", to(", connect-timeout: 2s", ""), true, "sink.connect-timeout: 2s never passes, since the whole request has 1s; lower it below call-timeout"},
	{"destination: calls longer than XDR waits", to(", call-timeout: 10s", ""), true, "sink.call-timeout: 10s never passes, since the connector gives up 9s after a change came, and XDR after 10s; 8s leaves time"},
	{"destination: calls a little longer than the connector waits", to(", call-timeout: 9001", ""), true, "sink.call-timeout: 9.001s never passes, since the connector gives up 9s"},
	{"destination: seconds for milliseconds", to(", call-timeout: 5", ""), true, "sink.call-timeout: 5 is 5ms; if seconds are meant write 5s"},
	{"destination: a life of milliseconds", to(", connection-ttl: 300", ""), true, "sink.connection-ttl: 300 is 300ms; if seconds are meant write 300s"},
	{"destination: milliseconds for seconds", to(", health-check: {interval-seconds: 5000}", ""), true, "health-check.interval-seconds: 5000 is 1h23m20s; if milliseconds are meant write 5000ms"},
	{"destination: checks longer than their interval", to(", health-check: {call-timeout: 5100}", ""), true, "health-check.call-timeout: 5.1s is longer than the 5s between checks"},
	{"destination: a threshold without gzip", to(", compression-threshold: 1000", ""), true, "sink.compression-threshold: means nothing without compression: gzip"},
	{"destination: streams without HTTP/2", to(", protocol: HTTP_1_1, http2-max-concurrent-streams: 5", ""), true, "means nothing with protocol: HTTP_1_1; raise max-connections-per-endpoint"},
	{"destination: more requests than partitions", to(", max-connections-per-endpoint: 50", ""), true, "5000 requests at once, of which only 4096 are ever used"},
	{"destination: no status is success", to(", http-success-status-codes: []", ""), false, "http-success-status-codes: empty, so nothing would ever be delivered"},

	{"token: in clear text", "destinations: {sink: {urls: [\"http://a\"], auth: {mode: google-id-token}}}\nrouting: {mode: static, destination: sink}", false, "sink.auth.mode: a secret would go to http://a in clear text; write https"},
	{"token: in a header in clear text", "destinations: {sink: {urls: [\"http://a\"], headers: {X-K: {file: secrets/token}}}}\nrouting: {mode: static, destination: sink}", false, "sink.headers: a secret would go to http://a in clear text; write https"},
	{"token: no mode", to(", auth: {audience: a}", ""), false, "sink.auth.mode: missing; say google-id-token, bearer or none"},
	{"token: no file", to(", auth: {mode: bearer}", ""), false, "sink.auth.token-file: missing; name the file that holds the token"},
	{"token: of several lines", to(", auth: {mode: bearer, token-file: secrets/lines}", ""), false, "secrets/lines has several lines, or characters that an HTTP header cannot have; it must hold only the secret"},
	{"token: an empty name", to(", auth: {mode: bearer, token-file: \"\"}", ""), false, "sink.auth.token-file: empty; name a file, or leave the key out"},
	{"token: an empty audience", to(", auth: {mode: google-id-token, audience: \"\"}", ""), false, "sink.auth.audience: empty; name it, or leave the key out"},
	{"token: an empty file", to(", auth: {mode: bearer, token-file: secrets/empty}", ""), false, "sink.auth.token-file: read "},
	{"token: a file for Google", to(", auth: {mode: google-id-token, token-file: secrets/token}", ""), false, "sink.auth.token-file: belongs to mode bearer"},
	{"token: an audience for nothing", to(", auth: {mode: none, audience: a}", ""), false, "sink.auth.audience: belongs to mode google-id-token"},
	{"token: and a header", to(", auth: {mode: bearer, token-file: secrets/token}, headers: {authorization: {file: secrets/token}}", ""), false, "sink.auth.mode: headers has authorization too; keep one of the two"},
	{"header: a secret in sight", to(", headers: {Authorization: secret}", ""), true, "sink.headers.Authorization: a secret in the configuration; put it into a file, and say {file: PATH}"},
	{"header: no fact", to(", headers: {X-A: {value: digest}}", ""), false, "sink.headers.X-A.value: invalid value \"digest\": want one of namespace, set, count, format"},
	{"header: value and file", to(", headers: {X-A: {value: set, file: secrets/token}}", ""), false, "sink.headers.X-A: says value or file, one of the two"},
	{"header: of a connection", to(", headers: {upgrade: websocket}", ""), false, "sink.headers.upgrade: is HTTP's own, for a connection; remove it"},
	{"header: what HTTP/2 does not have", to(", headers: {Keep-Alive: \"5\"}", ""), false, "sink.headers.Keep-Alive: is HTTP's own"},
	{"header: a secret of several lines", to(", headers: {X-A: {file: secrets/lines}}", ""), false, "secrets/lines has several lines, or characters that an HTTP header cannot have; it must hold only the secret"},
	{"header: an empty name of a file", to(", headers: {X-A: {file: \"\"}}", ""), false, "sink.headers.X-A.file: empty; name a file, or leave the key out"},
	{"header: neither", to(", headers: {X-A: {}}", ""), false, "sink.headers.X-A: says value or file, one of the two"},

	{"batching: waits longer than XDR", to(", call-timeout: 5s", "batching: {batch-interval: 8000}"), true, "batching.batch-interval: 8s, and then destination sink may take 5s (call-timeout), but the connector gives up 9s after a change came, and XDR after 10s; lower one"},
	{"batching: waits a little longer than the connector", to("", "batching: {batch-interval: 8001}"), true, "batching.batch-interval: 8.001s, and then destination sink may take 1s (call-timeout), but the connector gives up 9s"},
	{"batching: waits for ever", to("", "batching: {batch-interval: -1}"), false, "batching.batch-interval: -1 is not between 0s and 1h"},
	{"batching: the queue holds no batch", to(", max-request-queued-per-endpoint: 100", "batching: {max-records: 101}"), true, "batching.max-records: 101, but destination sink queues only 100 changes; lower it"},
	{"batching: waits for what the queue cannot hold", to(", max-request-queued-per-endpoint: 100", "batching: {max-records: 101, batch-interval: 10}"), true, "so that a request waits for the whole batch-interval or max-bytes; lower it, or raise max-request-queued-per-endpoint"},
	{"batching: the connector holds no batch", to("", "service: {max-concurrent-records: 10}\nbatching: {max-records: 11}"), true, "batching.max-records: 11, but only 10 changes are in flight at once"},
	{"batching: the connector holds no such bytes", to("", "batching: {max-bytes: 67108865}"), true, "batching.max-bytes: 67108865, but only 67108864 bytes are in flight at once"},
	{"batching: waits for nothing", to("", "batching: {max-records: 1, batch-interval: 10}"), true, "batching.batch-interval: means nothing with max-records: 1"},
	{"batching: below", to(", call-timeout: 5s", "namespaces: {a: {sets: {b: {batching: {batch-interval: 8000}}}}}"), true, "namespaces.a.sets.b.batching.batch-interval: 8s, and then"},
	{"service: a message beyond what is held", to("", "service: {max-concurrent-bytes: 1048576}"), true, "service.max-message-bytes: 8388608, but the connector holds only 1048576 bytes at once"},
	{"service: seconds to drain", to("", "service: {drain-timeout: 10}"), true, "service.drain-timeout: 10 is 10ms; if seconds are meant write 10s"},

	{"ordering: split by a set", to("", "record-ordering: {}\nnamespaces: {a: {sets: {b: {format: json}}}}"), true, "namespaces.a.sets.b: goes another way than its namespace; a delete that comes without its set"},
	{"ordering: forgets too soon", to("", "record-ordering: {lut-cache-ttl-seconds: 5}"), true, "record-ordering.lut-cache-ttl-seconds: 5s is less than the 10s"},
	{"ordering: a word for a time", to("", "record-ordering: {lut-cache-ttl-seconds: long}"), false, "invalid duration \"long\": want a number of seconds or, for example, 1500ms"},
	{"ordering: an unknown answer", to("", "record-ordering: {stale: drop}"), false, "record-ordering.stale: invalid value \"drop\": want one of ack, retry"},

	{"dead letters: nowhere", to("", "dead-letters: {destination: snik}"), false, "dead-letters.destination: no destination is called \"snik\"; did you mean sink?"},
	{"dead letters: to who refused them", to("", "dead-letters: {destination: sink}"), false, "dead-letters.destination: a route goes to sink, and what it refuses would go there again; name another"},
	{"dead letters: to one of those who refused them", "destinations: {a: {urls: [\"https://a\"]}, b: {urls: [\"https://b\"]}}\nrouting: {mode: static-multi-destination, destinations: [a, b]}\ndead-letters: {destination: b}", false, "dead-letters.destination: a route goes to b, and what it refuses would go there again; name another"},
	{"dead letters: to who refused those of a set", strings.Replace(to("", "dead-letters: {destination: other}\nnamespaces: {a: {sets: {b: {routing: {mode: static, destination: other}}}}}"), "sink: {", "other: {urls: [\"https://b\"]}\n  sink: {", 1), false, "dead-letters.destination: a route goes to other"},
	{"dead letters: two places", to("", "dead-letters: {destination: sink, directory: secrets}"), false, "dead-letters: names a destination or a directory, one of the two"},
	{"dead letters: no place", to("", "dead-letters: {}"), false, "dead-letters: names a destination or a directory, one of the two"},
	{"dead letters: an empty name of a folder", to("", "dead-letters: {directory: \"\"}"), false, "dead-letters.directory: empty; name a folder, or leave the key out"},
	{"dead letters: an empty name", to("", "dead-letters: {destination: \"\"}"), false, "dead-letters.destination: empty; name one, or leave the key out"},
	{"dead letters: no folder around it", to("", "dead-letters: {directory: none/letters}"), false, "/none: no such file or directory; create it if it is missing, and make it writable for the user of the connector"},
	{"dead letters: a folder nobody writes to", to("", "dead-letters: {directory: /proc}"), false, "dead-letters.directory: cannot create files in /proc: "},
	{"dead letters: a folder in one nobody writes to", to("", "dead-letters: {directory: /proc/letters}"), false, "dead-letters.directory: cannot create files in /proc: "},
	{"dead letters: a file", to("", "dead-letters: {directory: secrets/token}"), false, "secrets/token is not a directory"},

	{"routing: of one namespace alone", "destinations: {sink: {urls: [\"https://a\"]}}\nnamespaces: {shop: {routing: {mode: static, destination: sink}}}", true, "line 1: routing: missing; changes of other namespaces are skipped; say routing: {mode: skip} if that is meant"},
	{"routing: of one set alone", "destinations: {sink: {urls: [\"https://a\"]}}\nnamespaces: {shop: {sets: {s: {routing: {mode: static, destination: sink}}}}}", true, "line 2: namespaces.shop.routing: missing; changes of its other sets, and those without a set, are skipped"},
	{"routing: of none", "destinations: {sink: {urls: [\"https://a\"]}}\nnamespaces: {shop: {format: json}}", true, "line 2: namespaces.shop.routing: missing; changes of this namespace are skipped"},

	{"names: a namespace too long", to("", "namespaces: {"+strings.Repeat("n", 32)+": {format: json}}"), false, "no namespace is called so: a name has 1 to 31 bytes, this one 32"},
	{"names: a set too long", to("", "namespaces: {a: {sets: {"+strings.Repeat("s", 64)+": {format: json}}}}"), false, "no set is called so: a name has 1 to 63 bytes, this one 64"},
	{"names: a namespace that says nothing", to("", "namespaces: {a: {}}"), true, "namespaces.a: says nothing of its own; remove it"},
	{"names: a set that says nothing", to("", "namespaces: {a: {format: json, sets: {b: {}}}}"), true, "namespaces.a.sets.b: says nothing of its own; remove it"},

	{"bins: one too long", to("", "bin-transforms: {exclude: {bins: [abcdefghijklmnop]}}"), false, "bin-transforms.exclude.bins: no bin is called \"abcdefghijklmnop\": a name has 1 to 15 bytes, this one 16"},
	{"bins: a rename of one too long", to("", "bin-transforms: {map: {abcdefghijklmnop: a}}"), false, "bin-transforms.map.abcdefghijklmnop: no bin is called"},
	{"bins: a rename to nothing", to("", "bin-transforms: {map: {a: \"\"}}"), false, "bin-transforms.map.a: no name; to leave the bin out put it under exclude"},
	{"bins: two renamed to one", to("", "bin-transforms: {map: {a: c, b: c}}"), true, "bin-transforms.map.b: becomes c, and so does a; a change that has both cannot be delivered"},
	{"bins: specified, and which not", to("", "bin-transforms: {include: specified}"), false, "bin-transforms.include.bins: missing; list the bins"},
	{"bins: all, and some", to("", "bin-transforms: {include: {type: all, bins: [a]}}"), true, "bin-transforms.include.bins: means nothing with type: all; say type: specified"},
	{"bins: included and excluded", to("", "bin-transforms: {include: {bins: [a, b]}, exclude: {bins: [a]}}"), true, "bin-transforms.include: bin a is excluded too; exclude wins"},
	{"bins: none left", to("", "bin-transforms: {include: none}"), true, "bin-transforms.include: no bin goes on, only metadata"},
	{"bins: an unknown transform", to("", "bin-transforms: {transforms: [upercase]}"), false, "bin-transforms.transforms[0]: invalid value \"upercase\": want one of uppercase, lowercase, trim"},
	{"bins: a pattern of Java alone", to("", "bin-transforms: {transforms: [{regex: {pattern: \"a(?!b)\", replacement: \"\"}}]}"), false, "transforms[0].regex: pattern: error parsing regexp"},
	{"bins: a replacement without a group", to("", "bin-transforms: {transforms: [{regex: {pattern: a, replacement: $1}}]}"), false, "transforms[0].regex: replacement: group $1, but the pattern has 0 groups"},
	{"bins: half a regex", to("", "bin-transforms: {transforms: [{regex: {pattern: a}}]}"), false, "transforms[0].regex: needs a pattern and a replacement"},

	{"format: avro without a schema", to("", "format: avro"), false, "format.schema: a schema or a schema-file, one of the two"},
	{"format: avro with two", to("", "format: {mode: avro, schema: \"{}\", schema-file: change.avsc}"), false, "format.schema: a schema or a schema-file, one of the two"},
	{"format: a schema that is none", to("", "format: {mode: avro, schema: x}"), false, "format.schema: avro schema: "},
	{"format: an empty name of a schema file", to("", "format: {mode: avro, schema-file: \"\"}"), false, "format.schema-file: empty; name a file, or leave the key out"},
	{"format: an empty name for the metadata", to("", "format: {mode: avro, schema-file: change.avsc, metadata-key: \"\"}"), false, "format.metadata-key: empty; name it, or leave the key out"},
	{"format: a schema file that is none", to("", "format: {mode: avro, schema-file: secrets/token}"), false, "format.schema-file: avro schema: "},
	{"format: a schema for another", to("", "format: {mode: json, schema: x}"), false, "format.schema: means nothing in mode json; it belongs to avro"},
	{"format: none, and Java's is not offered", to("", "format: {mode: custm}"), false, "format.mode: invalid value \"custm\": want one of json, flat-json, message-pack, avro, xdr"},
	{"format: of Java", to("", "format: {mode: custom, class: a.B}"), false, "format.mode: Java classes cannot be loaded; choose json"},
	{"transformer: of Java", to("", "custom-transformer: {class: a.B}"), false, "custom-transformer: Java classes cannot be loaded; choose and rename bins with bin-transforms"},

	{"ignored: threads", to("", "service: {io-threads: 4}"), true, "service.io-threads: ignored: goroutines are not threads; set GOMAXPROCS"},
	{"ignored: workers", to("", "service: {worker-threads: 4}"), true, "service.worker-threads: ignored"},
	{"ignored: requests of old charts", to("", "service: {max-concurrent-requests: 4}"), true, "service.max-concurrent-requests: ignored"},
	{"ignored: buffering", to("", "service: {enable-tcp-xdr-ack-buffering: false}"), true, "service.enable-tcp-xdr-ack-buffering: ignored: replies that are ready"},
	{"ignored: streams of the database", to("", "service: {http2-max-concurrent-streams: 0}"), true, "service.http2-max-concurrent-streams: ignored"},
	{"ignored: ticker", to("", "logging: {ticker-interval: 5}"), true, "logging.ticker-interval: ignored: figures are metrics"},
	{"log: no folder around its folder", to("", "logging: {file: none/log/a.log}"), false, "logging.file: cannot create files in "},
	{"log: a folder nobody writes to", to("", "logging: {file: /proc/a.log}"), false, "logging.file: cannot create files in /proc: "},
	{"log: a file for a folder", to("", "logging: {file: secrets/token/a.log}"), false, "secrets/token is not a directory"},
	{"log: an empty name", to("", "logging: {file: \"\"}"), false, "logging.file: empty; name a file, or leave the key out"},
	{"ignored: history of no file", to("", "logging: {max-history: 5}"), true, "logging.max-history: ignored: it needs logging.file"},
	{"ignored: loggers", to("", "logging: {levels: {record-parser: debug}}"), true, "logging.levels.record-parser: ignored: there is one level"},
}

func TestMistakes(t *testing.T) {
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
	for _, m := range mistakes {
		t.Run(m.name, func(t *testing.T) {
			c, err := config.Parse([]byte(m.text), folder)
			found := err
			if m.warning && err == nil {
				found = c.Warnings
			}
			if (err == nil) != m.warning || !strings.Contains(found.Error(), m.want) {
				t.Errorf("fault %v, want %q", found, m.want)
			}
			if found != nil && strings.Contains(found.Error(), "secret\n") {
				t.Errorf("it shows a secret: %v", found)
			}
		})
	}
}

// The configuration that the mistakes are made in is without, and so is one that
// skips on purpose.
func TestNoMistake(t *testing.T) {
	for _, text := range []string{
		to("", "format: json"),
		"destinations: {sink: {urls: [\"https://a\"]}}\nrouting: {mode: skip}\nnamespaces: {shop: {sets: {s: {routing: {mode: static, destination: sink}}}}}",
	} {
		c, err := config.Parse([]byte(text), "")
		if err != nil || len(c.Warnings) > 0 {
			t.Errorf("%s\nerror %v, warnings %v", text, err, c.Warnings)
		}
	}
}
