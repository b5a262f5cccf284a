package config_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/config"
	"github.com/aerosink/aerosink/connector/config/strict"
)

// ported returns a configuration with the destinations a to h and the ports 1 to 3.
func ported(sections string) string {
	var s strings.Builder
	s.WriteString("service: {port: [1, 2], tls: {port: 3, cert-file: secrets/server.crt, key-file: secrets/server.key}}\ndestinations:\n")
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		s.WriteString("  " + name + ": {urls: [\"https://" + name + "\"]}\n")
	}
	return s.String() + sections
}

// What counts for a change is what its set, its namespace and its port say, in this order,
// and then the root. The namespaces of the port come before those of the root.
func TestParse_ports(t *testing.T) {
	to := func(name string) string { return "routing: {mode: static, destination: " + name + "}" }
	c := read(t, ported(to("a")+`
format: json
namespaces:
  n: {`+to("b")+`, sets: {s: {`+to("c")+`}, t: {format: message-pack}}}
  m: {sets: {s: {`+to("c")+`}}}
port-based-config:
  2:
    `+to("d")+`
    format: xdr
    namespaces:
      n: {sets: {s: {`+to("e")+`}}}
      m: {`+to("f")+`}
      o: {`+to("g")+`}
  3: {batching: {max-records: 7}}
`), config.Folder(t))
	if diff := cmp.Diff([]int{2, 3}, slices.Sorted(maps.Keys(c.Ports))); diff != "" {
		t.Errorf("ports (-want +got):\n%s", diff)
	}
	for _, tt := range []struct {
		set  string
		want string // destination, format and batch size at port 1 / 2 / 3
	}{
		{"x ", "a json 1 / d xdr 1 / a json 7"},
		{"n ", "b json 1 / b xdr 1 / b json 7"},
		{"n s", "c json 1 / e xdr 1 / c json 7"},
		{"n t", "b message-pack 1 / b message-pack 1 / b message-pack 7"},
		{"m ", "a json 1 / f xdr 1 / a json 7"},
		{"m s", "c json 1 / f xdr 1 / c json 7"},
		{"o ", "a json 1 / g xdr 1 / a json 7"},
	} {
		namespace, set, _ := strings.Cut(tt.set, " ")
		wants := strings.Split(tt.want, " / ")
		for i, levels := range []config.Levels{c.Pipelines, c.Ports[2], c.Ports[3]} {
			if got := config.Describe(levels.Of(namespace, set)); got != wants[i] {
				t.Errorf("port %d, %q: %s, want %s", i+1, tt.set, got, wants[i])
			}
		}
	}
}

func TestParse_portFindings(t *testing.T) {
	folder := config.Folder(t)
	const root = "routing: {mode: static, destination: a}\n"
	for _, tt := range []struct {
		name, text string
		want       []string // errors and warnings, without those about unused destinations
	}{
		{"sections of a port", root + "port-based-config: {1: {format: json, batching: {}, bin-transforms: {exclude: {bins: [x]}}, record-ordering: {}, routing: {mode: skip}, namespaces: {n: {format: xdr}}}}", nil},
		{"quoted port", root + "port-based-config: {\"1\": {format: json}}", nil},
		{"port for TLS", root + "port-based-config: {3: {format: json}}", nil},
		{"merged port", root + "port-based-config: {1: &one {format: json}, 2: {<<: *one, batching: {}}}", nil},
		{"port that nothing listens on", root + "port-based-config: {4: {format: json}}", []string{"error: line 12: port-based-config.4: no port for XDR; add it to service.port, which has 1, 2, 3"}},
		{"name instead of a port", root + "port-based-config: {xdr: {format: json}}", []string{"error: line 12: port-based-config.xdr: not a port: want a number from 1 to 65535"}},
		{"port zero", root + "port-based-config: {0: {format: json}}", []string{"error: line 12: port-based-config.0: not a port: want a number from 1 to 65535"}},
		{"port in two forms", root + "port-based-config: {1: {format: json}, 0_1: {format: xdr}}", []string{"error: line 12: port-based-config.0_1: port 1 twice; remove one"}},
		{"list of ports", root + "port-based-config: [1]", []string{"error: line 12: port-based-config: a list, want a mapping of keys to values, for example {PORT: {routing: {mode: skip}}}"}},
		{"unknown key", root + "port-based-config: {1: {rooting: {mode: skip}}}", []string{"error: line 12: port-based-config.1.rooting: unknown key; did you mean routing?"}},
		{"key of the root", root + "port-based-config: {1: {service: {port: 5}}}", []string{"error: line 12: port-based-config.1.service: unknown key"}},
		{"Java class", root + "port-based-config: {1: {custom-transformer: {class: a.B}}}", []string{"error: line 12: port-based-config.1.custom-transformer: Java classes cannot be loaded; choose and rename bins with bin-transforms, or transform what arrives at the destination"}},
		{"nothing", root + "port-based-config: {1: {}}", []string{"warning: line 12: port-based-config.1: has no settings of its own; remove it"}},

		{"namespace of the root, port", root + "namespaces: {n: {routing: {mode: skip}}}\nport-based-config: {1: {routing: {mode: static, destination: b}}}",
			[]string{"warning: line 13: port-based-config.1.routing: also set by namespaces.n, which counts on this port as well, since a namespace is more specific than a port; to change that, set it under namespaces of the port"}},
		{"set of the root, port", root + "namespaces: {n: {sets: {s: {format: json}}}, m: {format: json}}\nport-based-config: {1: {format: xdr}}",
			[]string{"warning: line 13: port-based-config.1.format: also set by namespaces.n.sets.s, namespaces.m, which counts on this port as well, since a namespace is more specific than a port; to change that, set it under namespaces of the port"}},
		{"namespace of both", root + "namespaces: {n: {batching: {}}}\nport-based-config: {1: {namespaces: {n: {batching: {max-records: 5}}}}}",
			[]string{"warning: line 13: port-based-config.1.namespaces.n.batching: namespaces.n sets it too; on this port, what is said here counts"}},
		{"set of the root, namespace of the port", root + "namespaces: {n: {sets: {s: {format: json}}}}\nport-based-config: {1: {namespaces: {n: {format: xdr}}}}",
			[]string{"warning: line 13: port-based-config.1.namespaces.n.format: namespaces.n.sets.s sets it too; on this port, what is said here counts"}},
		{"set of both", root + "namespaces: {n: {sets: {s: {record-ordering: {}}}}}\nport-based-config: {1: {namespaces: {n: {sets: {s: {record-ordering: {stale: retry}}}}}}}",
			[]string{"warning: line 13: port-based-config.1.namespaces.n.sets.s.record-ordering: namespaces.n.sets.s sets it too; on this port, what is said here counts"}},
		{"namespace of the root, set of the port", root + "namespaces: {n: {format: json}}\nport-based-config: {1: {namespaces: {n: {sets: {s: {format: xdr}}}}}}", nil},
		{"other sections", root + "namespaces: {n: {format: json}}\nport-based-config: {1: {batching: {}, namespaces: {n: {bin-transforms: {exclude: {bins: [x]}}}}}}", nil},

		{"no routing", "port-based-config: {1: {format: json}}", []string{
			"warning: line 1: routing: missing; changes received on port 2, 3 are skipped; write routing: {mode: skip} if that is intended",
			"warning: line 11: port-based-config.1.routing: missing; changes received on this port are skipped; write routing: {mode: skip} if that is intended",
		}},
		{"routing of every port", "port-based-config: {1: {routing: {mode: skip}}, 2: {routing: {mode: skip}}, 3: {routing: {mode: static, destination: a}}}", nil},
		{"routing of a namespace", "namespaces: {n: {routing: {mode: static, destination: a}}}\nport-based-config: {1: {format: json}}", []string{
			"warning: line 1: routing: missing; changes of other namespaces received on port 2, 3 are skipped; write routing: {mode: skip} if that is intended",
			"warning: line 12: port-based-config.1.routing: missing; changes of other namespaces received on this port are skipped; write routing: {mode: skip} if that is intended",
		}},
		{"set apart from its namespace", root + "port-based-config: {1: {namespaces: {n: {sets: {s: {routing: {mode: static-multi-destination, destinations: [a, b, c]}}}}}}}",
			[]string{"warning: line 12: port-based-config.1.namespaces.n.sets.s: routed apart from its namespace: a delete may come without its set, and then does not reach b, c; route the namespace there too"}},
		{"batching", root + "port-based-config: {1: {batching: {max-records: 1000000}}}", []string{
			"warning: line 12: port-based-config.1.batching.max-records: 1000000, but destination a queues only 32768 changes; lower it, or raise max-request-queued-per-endpoint",
			"warning: line 12: port-based-config.1.batching.max-records: 1000000, but only 32768 changes are in flight at once; lower it, or raise service.max-concurrent-records",
		}},
		{"dead letters", root + "port-based-config: {1: {routing: {mode: static, destination: b}}}\ndead-letters: {destination: b}",
			[]string{"error: line 13: dead-letters.destination: changes are routed to b, and those that it refuses would be sent to it again; name another"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := config.Parse([]byte(ported(tt.text)), folder)
			found := config.Examine([]byte(ported(tt.text)), folder)
			var errs strict.Errors
			if errors.As(err, &errs) != (len(found.Errors) > 0) {
				t.Errorf("Parse: %v, Examine: %v", err, found.Errors)
			}
			var got []string
			for _, e := range found.Errors {
				got = append(got, "error: "+e.String())
			}
			for _, w := range found.Warnings {
				if !strings.HasSuffix(w.Text, "nothing is sent there") {
					got = append(got, "warning: "+w.String())
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A destination that only the root would route to is not used if each port has its own
// routing.
func TestExamine_unusedRoot(t *testing.T) {
	found := config.Examine([]byte(ported("routing: {mode: static, destination: h}\nport-based-config: {1: {routing: {mode: skip}}, 2: {routing: {mode: skip}}, 3: {routing: {mode: skip}}}")), config.Folder(t))
	if text := "line 10: destinations.h: no routing names it; nothing is sent there"; !strings.Contains(found.Warnings.Error(), text) {
		t.Errorf("want %q:\n%v", text, found.Warnings)
	}
}
