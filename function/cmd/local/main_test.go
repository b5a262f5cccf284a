package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/cli"
	"github.com/aerosink/aerosink/connector/format/json"
	"github.com/aerosink/aerosink/connector/xdr"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"

	"github.com/aerosink/aerosink/function/pipeline"
)

func TestMain(m *testing.M) { changetest.Main(m, main) }

// run runs the program with args.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	return program().Run(ctx, args, cli.Streams{Stdout: stdout, Stderr: stderr})
}

func TestPlayOnce(t *testing.T) {
	hexFile := filepath.Join(t.TempDir(), "frames.hex")
	frames, err := pipeline.Captures()
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	text.WriteString("# two captures\n")
	for _, f := range frames[:2] {
		fmt.Fprintf(&text, "%X\n\n", []byte(f))
	}
	if err := os.WriteFile(hexFile, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"captures", nil, "9 changes went in. All came out of Pub/Sub, in 9 messages, and of Cloud Storage, in "},
		{"captures in flat JSON", []string{"-format", "flat-json"}, "9 changes went in."},
		{"JSON lines", []string{"-xdr", changetest.Testdata(t, "xdr.jsonl")}, "changes went in, and 1 monitor record of transactions, which the connector drops. All came out"},
		{"hexadecimal", []string{"-xdr", hexFile}, "2 changes went in."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			if err := run(t.Context(), append(tt.args, "-once"), &out, &errs); err != nil {
				t.Fatalf("%v\n%s", err, errs.String())
			}
			if !strings.Contains(out.String(), tt.want) || errs.Len() > 0 {
				t.Errorf("the output lacks %q:\n%s\n%s", tt.want, out.String(), errs.String())
			}
		})
	}
}

func TestPlayOnce_keepsObjects(t *testing.T) {
	folder := t.TempDir()
	if err := run(t.Context(), []string{"-once", "-dir", folder}, io.Discard, io.Discard); err != nil {
		t.Fatal(err)
	}
	objects, err := filepath.Glob(filepath.Join(folder, "archive/changes/namespace=test/set=myset/dt=*/hour=*/*.ndjson"))
	lines := 0
	for _, path := range objects {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		lines += bytes.Count(content, []byte{'\n'})
	}
	if err != nil || lines != 8 {
		t.Errorf("%d changes in %d objects, %v", lines, len(objects), err)
	}
}

func TestProgram_errors(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	odd := filepath.Join(t.TempDir(), "odd")
	for path, text := range map[string]string{empty: "\n# nothing\n", odd: "0203\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ args, err string }{
		{"-nonce", "local: unknown flag -nonce; "},
		{"once", `local: unknown command "once"; did you mean "-once"? Run "local help".`},
		{"-dir /dev/null/objects", "keep the objects of Cloud Storage: "},
		{"-xdr /nonexistent", "open /nonexistent: no such file"},
		{"-xdr " + empty, "empty: the file has no messages"},
		{"-xdr " + odd, "line 1: unexpected EOF"},
		{"-format csv", `-format: unknown format "csv": want json, flat-json, message-pack or xdr`},
		{"-format xdr", "-once checks changes in json and flat-json; leave out -format xdr"},
		{"-archive parquet", "-once checks messages of a shard and objects in NDJSON; leave out -sinks, -data, -archive"},
		{"-sinks log:", "-once checks messages of a shard"},
		{"-ordering 0", "-once checks messages of a shard"},
		{"-fence memory", "-once checks messages of a shard"},
		{"-o table", `-o: unknown form "table": want text, line or json`},
		{"-listen nowhere", "listen on nowhere for XDR: "},
	} {
		err := run(t.Context(), append(strings.Fields(tt.args), "-once"), io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: error %v, want one that says %q", tt.args, err, tt.err)
		}
	}
}

// Without -once, the program prints the captures and then the changes of another source,
// serves the bucket and the metrics, and stops without an error.
func TestFollow(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var out changetest.Output
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, []string{"-play", "-node", "127.0.0.1:0"}, &out, io.Discard) }()
	out.Find(t, `   9  `)

	xdrAddress := out.Find(t, `connector +(\S+)`)
	c, err := changetest.Parse([]byte(`{"op":"delete","namespace":"mine","digest":"0102030405060708090a0b0c0d0e0f1011121314","generation":5,"lut":1795348800000}`))
	if err != nil {
		t.Fatal(err)
	}
	frame, err := xdr.AppendMessage(nil, &c, changetest.Receipt)
	if err != nil {
		t.Fatal(err)
	}
	source := &xdrtest.Source{Address: xdrAddress}
	if err := source.Play(t.Context(), []xdr.Frame{frame}); err != nil {
		t.Fatal(err)
	}
	out.Find(t, `  10  delete +mine  2026-11-22 12:00:00.000 UTC`)

	for url, want := range map[string]string{
		out.Find(t, `curl (\S+)`):                "namespace=mine",
		out.Find(t, `metrics at\s+(\S+)`):        `aerospike_esp_outbound_requests{cluster_name="local",status="success"} 10`,
		out.Find(t, `function +(http\S+)`) + "/": "",
	} {
		resp, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK || !strings.Contains(string(text), want) {
			t.Errorf("%s: status %d: %s", url, resp.StatusCode, text)
		}
	}
	folder := out.Find(t, `objects are in\s+(/\S+)`)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", xdrAddress); err == nil {
		t.Error("the connector still listens")
	}
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("the temporary folder still exists: %v", err)
	}
}

// The commands that are printed have an address that the database's nodes can connect to.
func TestFollow_nodeAddress(t *testing.T) {
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	const loopbackHint = "(for other machines, start with -listen 0.0.0.0:8901)"
	for _, tt := range []struct{ listen, host, hint string }{
		{"127.0.0.1:0", "127.0.0.1", loopbackHint},
		{"[::1]:0", "[::1]", loopbackHint},
		{"0.0.0.0:0", name, "(or to another name or address of this machine)"},
		{":0", name, "(or to another name or address of this machine)"},
	} {
		t.Run(tt.listen, func(t *testing.T) {
			l, err := net.Listen("tcp", tt.listen)
			if err != nil {
				t.Skipf("cannot listen on %s: %v", tt.listen, err)
			}
			_ = l.Close()
			ctx, stop := context.WithCancel(t.Context())
			var out changetest.Output
			ended := make(chan error, 1)
			go func() { ended <- run(ctx, []string{"-node", "127.0.0.1:0", "-listen", tt.listen}, &out, io.Discard) }()
			_, port, err := net.SplitHostPort(out.Find(t, `connector +(\S+)`))
			if err != nil {
				t.Fatal(err)
			}
			address := tt.host + ":" + port
			if got := out.Find(t, `node-address-port=(\S+);action=add`); got != address {
				t.Errorf("node-address-port=%s, want %s", got, address)
			}
			if want := "connect to " + address + " " + tt.hint + ":"; !strings.Contains(strings.Join(strings.Fields(out.String()), " "), want) {
				t.Errorf("no %q in:\n%s", want, out.String())
			}
			stop()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}

// The commands that are printed to see the objects work as they are.
func TestFollow_storageCommands(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	var out changetest.Output
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, []string{"-play", "-node", "127.0.0.1:0"}, &out, io.Discard) }()
	out.Find(t, `   9  `)
	t.Setenv("CLOUDSDK_CONFIG", t.TempDir()) // of somebody who has not logged in
	for _, tt := range []struct{ program, want string }{
		{"curl", `"name":"changes/namespace=test/set=myset/dt=2024-12-16/hour=22/`},
		{"gcloud", "gs://archive/changes/namespace=test/set=myset/dt=2024-12-16/hour=22/"},
	} {
		t.Run(tt.program, func(t *testing.T) {
			if _, err := exec.LookPath(tt.program); err != nil {
				t.Skipf("%s is not installed", tt.program)
			}
			command := out.Find(t, `\n +(.*`+tt.program+` .*archive.*)\n`)
			text, err := exec.Command("sh", "-c", command).CombinedOutput()
			if err != nil || !strings.Contains(string(text), tt.want) {
				t.Errorf("%s: %v\n%s", command, err, text)
			}
		})
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// The checker finds changes that are missing, added, misplaced or altered.
func TestChecker(t *testing.T) {
	frames, err := pipeline.Captures()
	if err != nil {
		t.Fatal(err)
	}
	f := json.Format{StringifyMapKeys: true}
	fresh := func() (*checker, []byte) {
		l, err := newChecker(frames, f, defaultShards)
		if err != nil {
			t.Fatal(err)
		}
		l.Played()
		line, err := f.Append(nil, &l.Entries[0].Change)
		if err != nil {
			t.Fatal(err)
		}
		return l, bytes.TrimSuffix(line, []byte("\n"))
	}
	l, line := fresh()
	good := &pubsubpb.PubsubMessage{Data: line, Attributes: pipeline.ExpectedAttributes(&l.Entries[0].Change), OrderingKey: "255"}
	if err := l.checkMessage(good); err != nil || l.missing() != len(frames)-1 {
		t.Fatalf("%v, %d missing", err, l.missing())
	}
	if err := l.checkMessage(good); err != nil || l.missing() != len(frames)-1 {
		t.Errorf("a repeated message: %v, %d missing", err, l.missing())
	}
	for _, tt := range []struct {
		name   string
		alter  func(m *pubsubpb.PubsubMessage)
		reason string
	}{
		{"another value", func(m *pubsubpb.PubsubMessage) { m.Data = bytes.Replace(m.Data, []byte("zzz"), []byte("zzy"), 1) }, "this change did not go in"},
		{"another record", func(m *pubsubpb.PubsubMessage) { m.Data = bytes.Replace(m.Data, []byte("/+P"), []byte("/+Q"), 1) }, "this change did not go in"},
		{"not a change", func(m *pubsubpb.PubsubMessage) { m.Data = []byte(`{}`) }, "neither JSON"},
		{"two changes", func(m *pubsubpb.PubsubMessage) { m.Data = append(bytes.Clone(line), line...) }, "2 changes in a message, want 1"},
		{"another ordering key", func(m *pubsubpb.PubsubMessage) { m.OrderingKey = "1" }, `ordering key "1"`},
		{"missing attributes", func(m *pubsubpb.PubsubMessage) { m.Attributes = nil }, "attribute"},
	} {
		l, line := fresh()
		m := &pubsubpb.PubsubMessage{Data: bytes.Clone(line), Attributes: pipeline.ExpectedAttributes(&l.Entries[0].Change), OrderingKey: "255"}
		tt.alter(m)
		if err := l.checkMessage(m); err == nil || !strings.Contains(err.Error(), tt.reason) || l.missing() != len(frames) {
			t.Errorf("%s: %v, %d missing", tt.name, err, l.missing())
		}
	}
	object1 := object{name: "changes/namespace=source-ns1/x", text: string(line) + "\n"}
	if err := l.checkObjects([]object{object1}); err == nil || !strings.Contains(err.Error(), "no object in the bucket holds") {
		t.Errorf("missing objects: %v", err)
	}
	object1.name = "changes/namespace=test/x"
	if err := l.checkObjects([]object{object1}); err == nil || !strings.Contains(err.Error(), "the change belongs in") {
		t.Errorf("misplaced object: %v", err)
	}
}

func TestProgram_exitStatus(t *testing.T) {
	if out, err := changetest.Command(t, "-once").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	out, err := changetest.Command(t, "-once", "-xdr", "/nonexistent").CombinedOutput()
	if err == nil || string(out) != "local: open /nonexistent: no such file or directory\n" {
		t.Errorf("%v\n%s", err, out)
	}
	var screen changetest.Output
	process := changetest.Command(t, "-play", "-node", "127.0.0.1:0")
	process.Stdout = &screen
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	screen.Find(t, `   9  `)
	if err := process.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := process.Wait(); err != nil {
		t.Errorf("Ctrl-C: %v", err)
	}
}
