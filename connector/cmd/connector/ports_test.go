package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/xdr"
)

// freePorts returns n ports that nothing listens on just now.
func freePorts(t *testing.T, n int) []string {
	t.Helper()
	var ports []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, port, err := net.SplitHostPort(l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		ports = append(ports, port)
	}
	return ports
}

// startOnPorts starts the connector with the configuration for two ports, and tries again if
// another program has taken one of them.
func startOnPorts(t *testing.T, config func(first, second string) string) (first, second string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "connector.yml")
	for range 10 {
		ports := freePorts(t, 2)
		write(t, path, []byte(config(ports[0], ports[1])))
		if tryStart(t, path) {
			return ports[0], ports[1]
		}
	}
	t.Fatal("no free ports")
	return "", ""
}

// tryStart starts the connector until the end of the test. It returns false if a port is
// taken.
func tryStart(t *testing.T, path string) bool {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	var log changetest.Output
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, []string{"-config", path}, io.Discard, &log) }()
	started := func() bool { return strings.Contains(log.String(), "connector started") }
	changetest.WaitFor(t, "a start or an error", func() bool { return started() || len(ended) > 0 })
	if !started() {
		if err := <-ended; err == nil || !strings.Contains(err.Error(), "address already in use") {
			t.Fatal(err)
		}
		return false
	}
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return true
}

// What is received on a port with a configuration of its own goes where that says.
func TestServe_portBasedConfig(t *testing.T) {
	requests := make(chan string, 10)
	there := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			requests <- fmt.Sprintf("%s %s digest %q", r.URL.Path, r.Header.Get("Content-Type"), r.Header.Get("Aerosink-Digest"))
		}
	}))
	t.Cleanup(there.Close)
	first, second := startOnPorts(t, func(first, second string) string {
		return fmt.Sprintf(`
service: {port: [%s, %s], address: 127.0.0.1, allow: 127.0.0.1}
destinations:
  stream: {urls: ["%[3]s/stream"], protocol: HTTP_1_1, call-timeout: 8s, headers: {send-digest-header: true}}
  audit: {urls: ["%[3]s/audit"], protocol: HTTP_1_1, call-timeout: 8s, headers: {Content-Type: application/vnd.audit+json}}
routing: {mode: static, destination: stream}
port-based-config:
  %[2]s: {routing: {mode: static, destination: audit}, format: json}
`, first, second, there.URL)
	})
	for port, want := range map[string]string{
		first:  `/stream application/octet-stream digest "AQAAAAAAAAAAAAAAAAAAAAAAAAA="`,
		second: `/audit application/vnd.audit+json digest ""`,
	} {
		conn := dial(t, net.JoinHostPort("127.0.0.1", port))
		frame, err := xdr.AppendMessage(nil, &change.Change{Namespace: "n", Digest: change.Digest{1}}, changetest.Receipt)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(frame); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, <-requests); diff != "" {
			t.Errorf("port %s (-want +got):\n%s", port, diff)
		}
		reply := make([]byte, len(xdr.AppendReply(nil, xdr.OK)))
		if _, err := io.ReadFull(conn, reply); err != nil {
			t.Error(err)
		}
	}
}

// A connection from elsewhere than allow says is closed, and logged.
func TestServe_allow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "connector.yml")
	write(t, path, []byte("service: {port: 0, address: 127.0.0.1, allow: [10.0.0.0/8], manage: {port: 0, address: 127.0.0.1}}\ndestinations: {a: {urls: [\"http://b\"]}}\nrouting: {mode: skip}\n"))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	var log changetest.Output
	go func() { ended <- run(ctx, []string{"-config", path}, io.Discard, &log) }()
	conn := dial(t, log.Find(t, `"xdr":\["([^"]+)"`))
	if n, err := conn.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Errorf("%d bytes, error %v, want a closed connection", n, err)
	}
	log.Find(t, `("severity":"WARNING","message":"connection refused: service.allow does not have its source","source":"127.0.0.1")`)
	resp, err := http.Get("http://" + log.Find(t, `"manage":\["([^"]+)"`) + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(text), "\naerosink_connector_connections_refused_total{cluster_name=\"aerosink\"} 1\n") {
		t.Errorf("%v\n%s", err, text)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
