package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aerosink/aerosink/function/google"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/cli"
	"github.com/aerosink/aerosink/connector/xdr"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
	"github.com/aerosink/aerosink/function"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

func TestMain(m *testing.M) { changetest.Main(m, main) }

// run runs the connector with args.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	return program().Run(ctx, args, cli.Streams{Stdout: stdout, Stderr: stderr})
}

// process is the connector as main runs it.
type process struct {
	xdr, manage string
	stop        context.CancelFunc
	ended       chan error
}

func startProcess(t *testing.T, config string) *process {
	t.Helper()
	path := filepath.Join(t.TempDir(), "connector.yml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	p := &process{stop: cancel, ended: make(chan error, 1)}
	var log changetest.Output
	go func() { p.ended <- run(ctx, []string{"-config", path}, io.Discard, &log) }()
	p.xdr = log.Find(t, `"xdr":\["([^"]+)"`)
	p.manage = log.Find(t, `"manage":\["([^"]+)"`)
	return p
}

// received is set once Receive has been used.
var received atomic.Bool

// Over real sockets, a source ships changes over TCP, the connector POSTs them over HTTP/2
// to Receive, and they are stored in Pub/Sub and in Cloud Storage. Every third publish and
// every third upload fails, and no change is lost.
func TestConnector_endToEnd(t *testing.T) {
	if received.Swap(true) {
		t.Skip("Receive reads its environment once in a process, and still has the sinks of the previous run")
	}
	cloud := sinktest.New(t)
	t.Setenv("SINKS", sinktest.PubSubSink+"?ordering=64,"+sinktest.ArchiveSink+"?compression=gzip")
	var publishes, uploads, requests atomic.Int64
	cloud.FailPublish(func(*pubsubpb.PublishRequest) error {
		if publishes.Add(1)%3 == 0 {
			return status.Error(codes.PermissionDenied, "every third")
		}
		return nil
	})
	cloud.FailStorage(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/upload/") && uploads.Add(1)%3 == 0 {
			w.WriteHeader(http.StatusForbidden)
		}
	})
	receive := function.Entry(google.Sinks())
	there := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if r.ProtoMajor != 2 {
			t.Errorf("a request over %s", r.Proto)
		}
		receive(w, r)
	}))
	there.Config.Protocols = new(http.Protocols)
	there.Config.Protocols.SetUnencryptedHTTP2(true)
	there.Start()
	t.Cleanup(there.Close)

	p := startProcess(t, fmt.Sprintf(`
service: {port: 0, address: 127.0.0.1, manage: {port: 0, address: 127.0.0.1}}
destinations:
  function: {urls: ["%s"], call-timeout: 8000, http2-max-concurrent-streams: 4}
routing: {mode: static, destination: function}
format: {mode: flat-json, metadata-key: metadata}
batching: {max-records: 20}
namespaces: {test: {sets: {secret: {routing: {mode: skip}}}}}
`, there.URL))

	want := map[string]bool{}
	var frames []xdr.Frame
	for i := range 200 {
		c := change.Change{
			Namespace: "test", Set: "s", Digest: change.Digest{byte(i), byte(i)}, Mode: change.Replace, Generation: uint32(i + 1),
			LUT: changetest.Receipt.UnixMilli() + int64(i), Bins: []change.Bin{{Name: "i", Value: change.IntegerValue(int64(i))}},
		}
		if i%10 == 9 {
			c.Set = "secret"
		} else {
			want[c.Digest.String()] = true
		}
		f, err := xdr.AppendMessage(nil, &c, changetest.Receipt)
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, f)
	}
	source := &xdrtest.Source{Address: p.xdr, Connections: 4, RetryAfter: 10 * time.Millisecond}
	if err := source.Play(t.Context(), frames); err != nil {
		t.Fatal(err)
	}
	if stats := source.Stats(); stats.RetryDest == 0 {
		t.Errorf("no change was shipped twice, so nothing was tested: %+v", stats)
	}

	published := map[string]bool{}
	for _, m := range cloud.Messages() {
		published[m.Attributes["digest"]] = true
	}
	archived := 0
	for _, o := range cloud.Objects(t) {
		if !strings.HasPrefix(o.Attrs.Name, "changes/namespace=test/set=s/dt=2026-11-22/hour=12/") {
			t.Errorf("object %s", o.Attrs.Name)
		}
		archived += len(o.Content)
	}
	for digest := range want {
		if !published[digest] {
			t.Errorf("record %s got an OK reply and is not in Pub/Sub", digest)
		}
	}
	if len(published) != len(want) || archived == 0 {
		t.Errorf("%d records in Pub/Sub, want %d; %d bytes in Cloud Storage", len(published), len(want), archived)
	}
	metrics := get(t, "http://"+p.manage+"/metrics")
	for _, line := range []string{
		`aerospike_esp_outbound_requests{cluster_name="aerosink",status="success"} 180`,
		`aerospike_esp_outbound_requests{cluster_name="aerosink",status="skipped"} 20`,
	} {
		if !strings.Contains(metrics, line) {
			t.Errorf("the metrics lack %s", line)
		}
	}
	p.stop()
	if err := <-p.ended; err != nil {
		t.Error(err)
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestProgram_commands(t *testing.T) {
	good := filepath.Join(t.TempDir(), "good.yml")
	bad := filepath.Join(t.TempDir(), "bad.yml")
	for path, text := range map[string]string{
		good: "service: {io-threads: 4}\ndestinations: {a: {urls: [\"http://b\"]}}\nrouting: {mode: skip}\n",
		bad:  "destinations: {a: {urls: [b], c: d}}\nrouting: {mode: skip}\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		args     string
		out, err string
	}{
		{"check -config " + good, "warning: line 1: service.io-threads: ignored", ""},
		{"check -config " + good, "note: line 1: service.port: not set", ""},
		{"check -config " + good, "good.yml: no errors, 2 warnings\n", ""},
		{"--config " + good + " check", "good.yml: no errors, 2 warnings\n", ""},
		{"check -config " + bad, "error: line 1: destinations.a.urls[0]: invalid URL \"b\"", "connector check: " + bad + ": 2 errors, 1 warning"},
		{"check -config " + bad, "destinations.a.c: unknown key\nwarning: line 1: destinations.a: no routing names it", "bad.yml: 2 errors"},
		{"check -config " + bad, "\nnote: service.port: not set, so XDR is received on port 8901; ESP's default is 8080\n", "bad.yml: 2 errors"},
		{"-config " + bad, "", "destinations.a.c: unknown key"},
		{"-config /nonexistent", "", `connector: the configuration /nonexistent does not exist; name another with -config FILE, or make one with "connector config > FILE" and edit it`},
		{"check -config /nonexistent", "", "connector check: the configuration /nonexistent does not exist; "},
		{"-config " + filepath.Dir(good), "", "connector: read configuration: read " + filepath.Dir(good) + ": is a directory; name another with -config FILE"},
		{"config", "batching:", ""},
		{"check -host a", "", `connector check: -host is a flag of "connector xdr-config"; run "connector help check"`},
		{"-tls-name a", "", `connector: -tls-name is a flag of "connector xdr-config"; run "connector help"`},
		{"xdr-config -config " + good, "", "connector xdr-config: the configuration names no namespace; name those to ship with -namespace"},
		{"xdr-config -config " + bad, "", "destinations.a.c: unknown key"},
		{"-config a " + good, "", `connector: unknown command "` + good + `"; did you mean "connector -config ` + good + `"? Run "connector help".`},
		{"xdr-config none.yaml", "", `connector xdr-config: unexpected argument "none.yaml"; did you mean "connector xdr-config -config none.yaml"?`},
	} {
		var out bytes.Buffer
		err := run(t.Context(), strings.Fields(tt.args), &out, io.Discard)
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) || !strings.Contains(out.String(), tt.out) {
			t.Errorf("connector %s: %q, error %v; want %q, %q", tt.args, out.String(), err, tt.out, tt.err)
		}
	}
}

func TestServe_portTaken(t *testing.T) {
	p := startProcess(t, "service: {port: 0, address: 127.0.0.1, manage: {port: 0, address: 127.0.0.1}}\ndestinations: {a: {urls: [\"http://b\"]}}\nrouting: {mode: skip}\n")
	_, port, _ := strings.Cut(p.xdr, ":")
	path := filepath.Join(t.TempDir(), "second.yml")
	config := fmt.Sprintf("service: {port: %s, address: 127.0.0.1}\ndestinations: {a: {urls: [\"http://b\"]}}\nrouting: {mode: skip}\n", port)
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), []string{"-config", path}, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "is another connector running there?") {
		t.Errorf("error %v", err)
	}
	p.stop()
	if err := <-p.ended; err != nil {
		t.Error(err)
	}
}

func TestOpenLog(t *testing.T) {
	folder := t.TempDir()
	config := "service: {port: 0, address: 127.0.0.1}\ndestinations: {a: {urls: [\"http://b\"]}}\nrouting: {mode: skip}\nlogging: {file: %s, format: %s}\n"
	write := func(name, file, format string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, fmt.Appendf(nil, config, file, format), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for format, want := range map[string]string{"simple": "level=INFO msg=\"connector started\"", "json": `"severity":"INFO","message":"connector started"`} {
		file := filepath.Join(folder, format, "connector.log") // in a folder that does not exist
		path := write(format+".yml", file, format)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- run(ctx, []string{"-config", path}, io.Discard, io.Discard) }()
		changetest.WaitFor(t, want+" in "+file, func() bool {
			text, err := os.ReadFile(file)
			return err == nil && strings.Contains(string(text), want)
		})
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if err := os.Symlink("/nonexistent/log", filepath.Join(folder, "nowhere")); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		"/nonexistent/folder/log": "logging.file: cannot create files in /nonexistent: no such file or directory",
		"nowhere":                 "logging.file: open " + filepath.Join(folder, "nowhere") + ": no such file or directory; name another",
	} {
		path := write("none.yml", file, "json")
		if err := run(t.Context(), []string{"-config", path}, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// On SIGTERM, a change in flight gets the reply that it would have got anyway, the
// connection ends, and the exit status is 0.
func TestBinary_SIGTERM(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	there := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(arrived)
		<-release
	}))
	t.Cleanup(there.Close)
	path := filepath.Join(t.TempDir(), "connector.yml")
	text := fmt.Sprintf("service: {port: 0, address: 127.0.0.1}\ndestinations: {a: {urls: [%q], protocol: HTTP_1_1, call-timeout: 9s}}\nrouting: {mode: static, destination: a}\nformat: json\n", there.URL)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var log changetest.Output
	process := changetest.Command(t, "-config", path)
	process.Stderr = &log
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", log.Find(t, `"xdr":\["([^"]+)"`))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	frame, err := xdr.AppendMessage(nil, &change.Change{Namespace: "n"}, changetest.Receipt)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(frame); err != nil {
		t.Fatal(err)
	}
	<-arrived
	if err := process.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	changetest.WaitFor(t, "a closed port", func() bool {
		second, err := net.Dial("tcp", conn.RemoteAddr().String())
		if err == nil {
			_ = second.Close()
		}
		return err != nil
	})
	close(release)
	replies, err := io.ReadAll(conn)
	if want := xdr.AppendReply(nil, xdr.OK); err != nil || !bytes.Equal(replies, want) {
		t.Errorf("replies %x, %v, want %x and the end", replies, err, want)
	}
	_ = conn.Close()
	if err := process.Wait(); err != nil {
		t.Errorf("%v\n%s", err, log.String())
	}
}
