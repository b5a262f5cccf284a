package config_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/deliver/post"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/config"
	"github.com/aerosink/aerosink/connector/deliver"
	"github.com/aerosink/aerosink/connector/deliver/auth"
	"github.com/aerosink/aerosink/connector/format/msgpack"
	"github.com/aerosink/aerosink/connector/format/raw"
	"github.com/aerosink/aerosink/connector/route"
)

func read(t *testing.T, text, folder string) *config.Config {
	t.Helper()
	c, err := config.Parse([]byte(text), folder)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// helm is the configuration that ESP's Helm chart generates from its example.
const helm = `
service:
  port: 8901
  cluster-name: my-release
  manage: {port: 8902}
destinations:
  origin:
    urls: ["http://origin.default.svc.cluster.local:8080"]
    protocol: HTTP_2
    tls: null
    health-check: {call-timeout: 5100}
    call-timeout: 5100
    connect-timeout: 5000
    connection-ttl: 300000
    max-connections-per-endpoint: 20
    http2-max-concurrent-streams: 100
format: {mode: json}
record-ordering: {enable: false}
routing: {mode: static-multi-destination, destinations: [origin]}
logging: {enable-console-logging: true, levels: {root: info}}
`

func TestParse_helm(t *testing.T) {
	c := read(t, helm, "")
	d := c.Destinations["origin"]
	if c.Pipelines.Root.Ordering != nil || d.Connections != 20 || d.ConnectionTTL != 5*time.Minute || d.Health.CallTimeout != 5100*time.Millisecond {
		t.Errorf("%+v, %+v", d, c.Pipelines.Root)
	}
	if len(c.Warnings) > 0 {
		t.Errorf("warnings:\n%v", c.Warnings)
	}
}

func TestParse_destination(t *testing.T) {
	d := read(t, `
destinations:
  sink:
    urls: ["https://a.example:8443/in?x=y"]
    compression: gzip
    compression-threshold: 1000
    connection-ttl: 5m
    health-check: {interval-seconds: 7, call-timeout: 2s, healthy-threshold: 1, unhealthy-threshold: 2}
    headers: {x-n: {value: namespace}, x-s: {value: set}, x-c: {value: count}, x-f: {value: format}, x-k: {file: secrets/token}}
    auth: {mode: google-id-token}
routing: {mode: static, destination: sink}
`, config.Folder(t)).Destinations["sink"]
	if !d.Gzip || d.GzipThreshold != 1000 || d.ConnectionTTL != 5*time.Minute {
		t.Errorf("%+v", d)
	}
	want := &deliver.HealthConfig{Interval: 7 * time.Second, CallTimeout: 2 * time.Second, HealthyThreshold: 1, UnhealthyThreshold: 2}
	if diff := cmp.Diff(want, d.Health); diff != "" {
		t.Errorf("health (-want +got):\n%s", diff)
	}
	var facts []post.Fact
	for _, h := range d.Headers {
		facts = append(facts, h.Of)
	}
	if diff := cmp.Diff([]post.Fact{post.FactNamespace, post.FactSet, post.FactCount, post.FactFormat, post.FactSecret}, facts); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if text, err := d.Headers[4].Secret.Text(); text != "secret" || err != nil {
		t.Errorf("secret %q, %v", text, err)
	}
	if _, ok := d.Auth.(*auth.GoogleIDToken); !ok {
		t.Errorf("auth is a %T", d.Auth)
	}
}

// Connections end after some minutes, so that they follow a name that moves, unless there is
// to be no limit.
func TestParse_connectionTTL(t *testing.T) {
	for text, want := range map[string]time.Duration{"": 5 * time.Minute, ", connection-ttl: -1": 0, ", connection-ttl: 0": 0, ", connection-ttl: 60000": time.Minute} {
		if got := read(t, to(text, ""), "").Destinations["sink"].ConnectionTTL; got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	if got := read(t, to("", ""), "").Service.ConnectionTTL; got != 0 {
		t.Errorf("of XDR connections: %s, want no limit", got)
	}
}

func TestParse_auth(t *testing.T) {
	folder := config.Folder(t)
	for auth, want := range map[string]string{
		"{mode: none}": "", "{mode: bearer, token-file: secrets/token}": "Bearer secret",
	} {
		d := read(t, to(", auth: "+auth, ""), folder).Destinations["sink"]
		got := ""
		if d.Auth != nil {
			var err error
			if got, err = d.Auth.Authorization(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", auth, got, want)
		}
	}
	// A token may be sent in clear text on the same machine.
	read(t, "destinations: {sink: {urls: [\"http://127.0.0.1:1\", \"http://localhost\"], auth: {mode: bearer, token-file: secrets/token}}}\nrouting: {mode: skip}", folder)
}

func TestParse_healthCheck(t *testing.T) {
	if h := read(t, to(", health-check: {enabled: false}", ""), "").Destinations["sink"].Health; h != nil {
		t.Errorf("%+v", h)
	}
	if h := read(t, to("", ""), "").Destinations["sink"].Health; h == nil || h.Interval != 5*time.Second || h.UnhealthyThreshold != 3 {
		t.Errorf("by default %+v", h)
	}
}

func TestParse_levels(t *testing.T) {
	c := read(t, to("", `
bin-transforms: {exclude: {bins: [secret]}, map: {n: name}, transforms: [{regex: {pattern: "^u_(.*)", replacement: "$1"}}, uppercase]}
record-ordering: {lut-cache-ttl-seconds: 60, stale: retry}
namespaces: {a: {bin-transforms: {include: none}, record-ordering: {enable: false}, format: message-pack}}
`), "")
	root := c.Pipelines.Root
	if diff := cmp.Diff(&route.Ordering{TTL: time.Minute}, root.Ordering); diff != "" {
		t.Errorf("ordering (-want +got):\n%s", diff)
	}
	if root.Format != (raw.Format{}) || c.Pipelines.Of("a", "").Format != (msgpack.Format{}) {
		t.Errorf("formats %v", c.Pipelines)
	}
	for _, tt := range []struct{ namespace, want string }{{"b", "name AGE"}, {"a", ""}} {
		n := &change.Change{Bins: []change.Bin{{Name: "n"}, {Name: "u_age"}, {Name: "secret"}}}
		if err := c.Pipelines.Of(tt.namespace, "").Transform.Apply(n); err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, b := range n.Bins {
			names = append(names, b.Name)
		}
		if got := strings.Join(names, " "); got != tt.want {
			t.Errorf("namespace %s: bins %q, want %q", tt.namespace, got, tt.want)
		}
	}
	if o := c.Pipelines.Of("a", "").Ordering; o != nil {
		t.Errorf("disabled: got %+v, want nil", o)
	}
	if o := read(t, to("", "record-ordering: {}"), "").Pipelines.Root.Ordering; o == nil || o.TTL != 30*time.Second || !o.AckStale {
		t.Errorf("by default %+v", o)
	}
}

func TestParse_avro(t *testing.T) {
	folder := config.Folder(t)
	for _, text := range []string{"schema-file: change.avsc", "schema: '" + config.Schema + "', metadata-key: m"} {
		if f := read(t, to("", "format: {mode: avro, "+text+"}"), folder).Pipelines.Root.Format; f.Name() != "avro" {
			t.Errorf("%s: format %s", text, f.Name())
		}
	}
}

func TestParse_alias(t *testing.T) {
	c := read(t, "destinations: {a: &a {urls: [&u \"https://a\"]}, b: {urls: [\"https://b\", *u]}}\nrouting: {mode: static-multi-destination, destinations: [a, b]}", "")
	if got := c.Destinations["b"].URLs[1].String(); got != "https://a" {
		t.Errorf("URL %s", got)
	}
}

func TestParse_deadLetters(t *testing.T) {
	folder := config.Folder(t)
	if got := read(t, to("", "dead-letters: {directory: secrets}"), folder).DeadLetters.Directory; got != filepath.Join(folder, "secrets") {
		t.Errorf("directory %q", got)
	}
	// A missing directory is created when the connector starts, not before.
	if got := read(t, to("", "dead-letters: {directory: later}"), folder).DeadLetters.Directory; got != filepath.Join(folder, "later") {
		t.Errorf("directory %q", got)
	}
	if _, err := os.Stat(filepath.Join(folder, "later")); !os.IsNotExist(err) {
		t.Errorf("error %v; the directory was created", err)
	}
	for _, tried := range []string{folder, filepath.Join(folder, "secrets")} {
		if left, err := filepath.Glob(filepath.Join(tried, ".aerosink*")); err != nil || len(left) > 0 {
			t.Errorf("left behind: %q, %v", left, err)
		}
	}
	c := read(t, "destinations: {a: {urls: [\"https://a\"]}, b: {urls: [\"https://b\"]}}\nrouting: {mode: static, destination: a}\ndead-letters: {destination: b}", "")
	if c.DeadLetters.Destination != "b" || len(c.Warnings) > 0 {
		t.Errorf("%+v, %v", c.DeadLetters, c.Warnings)
	}
	if got := read(t, to("", ""), "").DeadLetters; got != (config.DeadLetters{}) {
		t.Errorf("by default %+v", got)
	}
}

// A relative path of the log is relative to the folder of the configuration.
func TestParse_relativeLog(t *testing.T) {
	folder := t.TempDir()
	if got := read(t, to("", "logging: {file: a.log}"), folder).Logging.File; got != filepath.Join(folder, "a.log") {
		t.Errorf("file %q", got)
	}
}

// Reload replaces certificates and secrets that changed. Those that cannot be read stay, and
// are reported.
func TestConfig_Reload(t *testing.T) {
	folder := config.Folder(t)
	there := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(there.Close)
	c := read(t, to(", tls: {ca-file: secrets/ca.crt}, headers: {x-k: {file: secrets/token}}", ""), folder)
	get := func() error {
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: c.Destinations["sink"].TLS, DisableKeepAlives: true}}
		resp, err := client.Get(there.URL)
		if err == nil {
			resp.Body.Close()
		}
		return err
	}
	if err := get(); err == nil || !strings.Contains(err.Error(), "unknown authority") {
		t.Errorf("error %v", err)
	}
	ca, token := filepath.Join(folder, "secrets", "ca.crt"), filepath.Join(folder, "secrets", "token")
	config.WriteCertificate(t, ca, there.Certificate())
	if err := c.Reload(); err != nil {
		t.Error(err)
	}
	if err := get(); err == nil || strings.Contains(err.Error(), "unknown authority") {
		t.Errorf("after the reload: error %v, want one of the name", err)
	}
	for _, path := range []string{ca, token} {
		if err := os.Truncate(path, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Reload(); err == nil || !strings.Contains(err.Error(), ca) || !strings.Contains(err.Error(), token) {
		t.Errorf("error %v, want both files", err)
	}
}
