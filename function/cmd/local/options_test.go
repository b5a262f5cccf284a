package main

import (
	"context"
	"io"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aerosink/aerosink/connector/cli"
)

// The flags for the sinks make the URLs that the function reads.
func TestOptions_sinks(t *testing.T) {
	const topic, bucket = "pubsub://aerosink-local/changes", "gs://archive/changes"
	for _, tt := range []struct{ args, want string }{
		{"", topic + "?ordering=256 " + bucket},
		{"-ordering 0", topic + "?ordering=0 " + bucket},
		{"-ordering 16 -data avro", topic + "?data=avro&ordering=16 " + bucket},
		{"-archive parquet -compression gzip", topic + "?ordering=256 " + bucket + "?compression=gzip&format=parquet"},
		{"-archive avro -data bigquery", topic + "?data=bigquery&ordering=256 " + bucket + "?format=avro"},
		{"-sinks pubsub://shop/changes?mode=packed,gs://b/p,gs://c", "pubsub://shop/changes?mode=packed gs://b/p gs://c"},
		{"-sinks log:", "log:"},
	} {
		o, err := parseOptions(t, tt.args)
		if err != nil {
			t.Errorf("%s: %v", tt.args, err)
			continue
		}
		var got []string
		for _, s := range o.specs {
			got = append(got, s.URL)
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: %s, want %s", tt.args, got, tt.want)
		}
	}
}

// parseOptions parses the flags and checks them.
func parseOptions(t *testing.T, args string) (*options, error) {
	t.Helper()
	var o options
	var checked error
	p := cli.Program{Name: "local", Commands: []cli.Command{{Default: true, Flags: o.flags, Run: func(_ context.Context, _ cli.Streams, _ []string) error {
		checked = o.check()
		return nil
	}}}}
	if err := p.Run(t.Context(), strings.Fields(args), cli.Streams{Stdout: io.Discard, Stderr: io.Discard}); err != nil {
		t.Fatal(err)
	}
	return &o, checked
}

// Flags that cannot be carried out are refused before anything is started, as usage errors.
func TestOptions_errors(t *testing.T) {
	for _, tt := range []struct{ args, err string }{
		{"-fence redis", "-fence: want memory or memory?size=64MiB"},
		{"-sinks log: -fence redis", "-fence: want memory"},
		{"-archive csv", `-data, -ordering, -archive or -compression: "gs://archive/changes?format=csv": invalid format=csv: want one of ndjson, avro, parquet`},
		{"-compression lz4", "invalid compression=lz4: want one of none, gzip, zstd"},
		{"-data csv", "invalid data=csv"},
		{"-ordering 5000", "invalid number ordering=5000: want 0 to 4096"},
		{"-sinks kafka://a/b", `-sinks: "kafka://a/b": unknown kind of sink`},
		{"-sinks pubsub://shop", `-sinks: "pubsub://shop": want pubsub://PROJECT/TOPIC`},
		{"-sinks gs://a -archive avro", "-sinks replaces -data, -ordering, -archive and -compression"},
		{"-sinks log: -o json", "log: prints to standard output, where -o json prints changes"},
		{"-ports 65531", "-ports: 65531 is not a port that five can follow"},
		{"-ports -1", "-ports: -1 is not a port"},
		{"-node 3000", `-node: "3000" is not HOST:PORT`},
		{"-node 0.0.0.0:3000", `"0.0.0.0" is not a loopback address; let other machines in with -allow-remote`},
		{"-node :3000", `"" is not a loopback address`},
		{"-node [::]:3000", `"::" is not a loopback address`},
		{"-node 10.0.0.1:3000", `"10.0.0.1" is not a loopback address`},
		{"-node example.com:3000", `"example.com" is not a loopback address`},
		{"-namespaces ,", "-namespaces: no names"},
		{"-namespaces a,b -unshipped b", `-namespaces, -unshipped: "b" twice`},
		{"-namespaces a.b", `"a.b" is not a name`},
		{"-namespaces a/b", `"a/b" is not a name`},
		{"-namespaces " + strings.Repeat("a", 32), "is not a name: at most 31 bytes"},
	} {
		_, err := parseOptions(t, tt.args)
		if err == nil || !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: error %v, want one that says %q", tt.args, err, tt.err)
		}
		if wrapped := run(t.Context(), strings.Fields(tt.args), io.Discard, io.Discard); wrapped == nil || !strings.HasSuffix(wrapped.Error(), `; run "local help"`) {
			t.Errorf("%s: %v is not a usage error", tt.args, wrapped)
		}
	}
	for _, args := range []string{"-node 127.0.0.1:0", "-node localhost:3000", "-node [::1]:3000", "-node 0.0.0.0:3000 -allow-remote", "-unshipped ,"} {
		if _, err := parseOptions(t, args); err != nil {
			t.Errorf("%s: %v", args, err)
		}
	}
}

// A port that is taken is named, with the flag that changes it.
func TestRun_portsTaken(t *testing.T) {
	for offset, of := range []string{1: "XDR", 2: "the connector's metrics", 3: "the function", 4: "Pub/Sub", 5: "Cloud Storage"} {
		if of == "" {
			continue
		}
		base := freePorts(t)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(base+offset)))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		err = run(t.Context(), []string{"-node", "127.0.0.1:0", "-ports", strconv.Itoa(base)}, io.Discard, io.Discard)
		if want := "listen on " + l.Addr().String() + " for " + of + ": bind: address already in use; choose another address with -"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one that says %q", of, err, want)
		} else if !strings.HasSuffix(err.Error(), "-ports") {
			t.Errorf("%s: error %v does not name -ports", of, err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for flag, of := range map[string]string{"-node": "the node", "-listen": "XDR"} {
		args := map[string]string{"-node": "127.0.0.1:0", flag: l.Addr().String()}
		var line []string
		for _, name := range slices.Sorted(maps.Keys(args)) {
			line = append(line, name, args[name])
		}
		want := "listen on " + l.Addr().String() + " for " + of + ": bind: address already in use; choose another address with " + flag
		if err := run(t.Context(), line, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one that says %q", flag, err, want)
		}
	}
}

// The example writes to a namespace that is shipped.
func TestOptions_exampleNamespace(t *testing.T) {
	for args, want := range map[string]string{"": "shop", "-namespaces test,orders": "test", "-namespaces orders": "orders", "-namespaces a,shop": "shop"} {
		if o, err := parseOptions(t, args); err != nil || o.node.Example() != want {
			t.Errorf("%s: %s, error %v, want %s", args, o.node.Example(), err, want)
		}
	}
}
