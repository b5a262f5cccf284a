package main

import (
	"bytes"
	"context"
	stdjson "encoding/json"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"

	"cloud.google.com/go/pubsub/v2"

	"github.com/aerosink/aerosink/connector/change/changetest"

	"github.com/aerosink/aerosink/connector/cli"
	"github.com/aerosink/aerosink/function/pipeline"
)

// jsonChanges are the lines of -o json.
func jsonChanges(t *testing.T, out *changetest.Output, n int) (all []map[string]any) {
	t.Helper()
	changetest.WaitFor(t, fmt.Sprintf("%d changes", n), func() bool { return strings.Count(out.String(), "\n") >= n })
	for line := range strings.Lines(out.String()) {
		var object map[string]any
		if err := stdjson.Unmarshal([]byte(line), &object); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all = append(all, object)
	}
	return all
}

// startJSON is startLocal with -o json. It returns the changes, the rest, and the node.
func startJSON(t *testing.T, args ...string) (changes, rest *changetest.Output, node string) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	changes, rest = new(changetest.Output), new(changetest.Output)
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, append([]string{"-node", "127.0.0.1:0", "-o", "json"}, args...), changes, rest)
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("local %s: %v", args, err)
		}
	})
	return changes, rest, rest.Find(t, `node +(127\S+)`)
}

// Each format between connector and function, and each form of messages and objects, comes
// out, and with -o json standard output has nothing but one object for each change.
func TestFollow_formats(t *testing.T) {
	for _, tt := range []struct{ args, format, data, object string }{
		{"", "json", "data", `\.ndjson`},
		{"-format flat-json -archive avro -compression zstd", "flat-json", "data", `\.avro`},
		{"-format message-pack -archive parquet", "message-pack", "bytes", `\.parquet`},
		{"-format xdr -compression gzip", "xdr", "bytes", `\.ndjson\.gz`},
		{"-format xdr -data json -ordering 0", "json", "data", `\.ndjson`},
		{"-data avro -ordering 4096", "avro", "bytes", `\.ndjson`},
	} {
		t.Run(tt.args, func(t *testing.T) {
			changes, rest, _ := startJSON(t, append([]string{"-play"}, strings.Fields(tt.args)...)...)
			rest.Find(t, `object  gs://archive/changes/namespace=test/\S+`+tt.object+`  \d+ changes?, `)
			all := jsonChanges(t, changes, 9)
			if len(all) != 9 {
				t.Errorf("%d changes, want 9", len(all))
			}
			for _, object := range all {
				attributes := object["attributes"].(map[string]any)
				_, ordered := object["orderingKey"]
				if object[tt.data] == nil || attributes["format"] != tt.format || ordered == strings.Contains(tt.args, "-ordering 0") {
					t.Errorf("%v, want %s in %s", object, tt.data, tt.format)
				}
			}
		})
	}
}

// -sinks replaces the sinks. Its topics and buckets are created, and all are shown.
func TestFollow_sinks(t *testing.T) {
	out, node := startLocal(t, "-o", "line", "-sinks", "pubsub://my-shop/orders?mode=packed,pubsub://my-other/changes,gs://first/a,gs://second")
	if _, err := command(t, node, "put", "shop.s", "k", "x=1"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`write +shop\.s  k  generation 1  x=1`, `1 change  shop\.s`,
		`object  gs://first/a/namespace=shop/set=s/`, `object  gs://second/namespace=shop/set=s/`,
		`subscribe to projects/my-shop/topics/orders`, `ls --recursive gs://second`,
	} {
		out.Find(t, want)
	}
}

// Without a terminal there is no escape sequence, and no line is wrapped.
func TestFollow_plain(t *testing.T) {
	t.Setenv("TERM", "xterm-256color")
	out, node := startLocal(t)
	if _, err := command(t, node, "put", "shop.s", "k", "x="+strings.Repeat("long ", 100)); err != nil {
		t.Fatal(err)
	}
	out.Find(t, `data .*(long ){100}.*\n`)
	if text := out.String(); strings.Contains(text, "\x1b") {
		t.Errorf("an escape sequence in\n%q", text)
	}
}

// -ports gives everything but the node its port.
func TestFollow_ports(t *testing.T) {
	base := freePorts(t)
	out, _ := startLocal(t, "-ports", fmt.Sprint(base))
	for i, pattern := range []string{1: `connector +127.0.0.1:(\d+)`, 2: `metrics at\s+http://127.0.0.1:(\d+)`, 3: `function +http://127.0.0.1:(\d+)`, 4: `Pub/Sub +127.0.0.1:(\d+)`, 5: `Cloud Storage +http://127.0.0.1:(\d+)`} {
		if pattern == "" {
			continue
		}
		if port := regexp.MustCompile(pattern).FindStringSubmatch(out.String()); port == nil || port[1] != fmt.Sprint(base+i) {
			t.Errorf("%s: %v, want %d", pattern, port, base+i)
		}
	}
}

// freePorts returns a number that five free ports follow.
func freePorts(t *testing.T) int {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		base := l.Addr().(*net.TCPAddr).Port
		l.Close()
		if base+5 <= 65535 && !slices.ContainsFunc([]int{1, 2, 3, 4, 5}, func(i int) bool {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", base+i))
			if err != nil {
				return true
			}
			l.Close()
			return false
		}) {
			return base
		}
	}
	t.Skip("no five free ports in a row")
	return 0
}

// The emulator's memory is bounded, and what was never shown is counted.
func TestCloud_forget(t *testing.T) {
	o, err := parseOptions(t, "")
	if err != nil {
		t.Fatal(err)
	}
	c, err := openCloud(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	publisher := c.pubsubClient.Publisher(topicName)
	for range 7 {
		if _, err := publisher.Publish(t.Context(), &pubsub.Message{Data: []byte("x")}).Get(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if missed, freed := c.forget(4, 5); missed != 0 || freed || len(c.pubsub.Messages()) != 7 {
		t.Errorf("after 4: %d missed, freed %t, %d left", missed, freed, len(c.pubsub.Messages()))
	}
	if missed, freed := c.forget(5, 5); missed != 2 || !freed || len(c.pubsub.Messages()) != 0 {
		t.Errorf("after 5: %d missed, freed %t, %d left", missed, freed, len(c.pubsub.Messages()))
	}
	var out bytes.Buffer
	p := newPrinter(pipeline.FormLine, cli.Streams{Stdout: &out})
	p.Missed(2)
	if want := "2 messages came faster than they can be shown, and are left out here\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}
