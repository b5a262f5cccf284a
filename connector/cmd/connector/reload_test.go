package main

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/xdr"
)

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// dialTLS opens a session, and returns the name in the server's certificate.
func dialTLS(t *testing.T, address string) (*tls.Conn, string) {
	t.Helper()
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn, conn.ConnectionState().PeerCertificates[0].Subject.CommonName
}

// exchange sends a change and reads its reply.
func exchange(t *testing.T, conn net.Conn) {
	t.Helper()
	frame, err := xdr.AppendMessage(nil, &change.Change{Namespace: "n"}, changetest.Receipt)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(frame); err != nil {
		t.Fatal(err)
	}
	want := xdr.AppendReply(nil, xdr.OK)
	reply := make([]byte, len(want))
	if _, err := io.ReadFull(conn, reply); err != nil || !bytes.Equal(reply, want) {
		t.Errorf("reply %x, %v, want %x", reply, err, want)
	}
}

// SIGHUP reloads the certificate, without ending the sessions that have the old one. If
// the new one cannot be read, the old one stays in use.
func TestBinary_SIGHUP(t *testing.T) {
	folder := t.TempDir()
	ours, soon := changetest.NewAuthority(t), time.Now().Add(time.Hour)
	ours.Write(t, folder, "server", "first", soon)
	there := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(there.Close)
	path := filepath.Join(folder, "connector.yml")
	port := "{port: 0, address: 127.0.0.1, cert-file: server.crt, key-file: server.key}"
	text := fmt.Sprintf("service: {socket-receive-buffer-bytes: 65536, tls: %s, manage: {tls: %s}}\ndestinations: {a: {urls: [%q], protocol: HTTP_1_1}}\nrouting: {mode: static, destination: a}\nformat: json\n", port, port, there.URL)
	write(t, path, []byte(text))
	var log changetest.Output
	process := changetest.Command(t, "-config", path)
	process.Stderr = &log
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	signal := func(s os.Signal) {
		if err := process.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	address := log.Find(t, `"xdr":\["([^"]+)"\]`)
	session, name := dialTLS(t, address)
	exchange(t, session)
	if name != "first" {
		t.Errorf("certificate of %s, want first", name)
	}

	ours.Write(t, folder, "server", "second", soon)
	signal(syscall.SIGHUP)
	log.Find(t, "certificates and secrets reloaded")
	exchange(t, session)
	if _, name := dialTLS(t, address); name != "second" {
		t.Errorf("after SIGHUP: certificate of %s, want second", name)
	}
	if err := os.Truncate(filepath.Join(folder, "server.key"), 0); err != nil {
		t.Fatal(err)
	}
	signal(syscall.SIGHUP)
	log.Find(t, "cannot reload some certificates or secrets.*server.key")
	another, name := dialTLS(t, address)
	exchange(t, another)
	if name != "second" {
		t.Errorf("after a failed reload: certificate of %s, want second", name)
	}

	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	resp, err := client.Get("https://" + log.Find(t, `"manage":\["([^"]+)"\]`) + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("readyz over TLS: %s", resp.Status)
	}
	client.CloseIdleConnections()
	signal(syscall.SIGTERM)
	for _, conn := range []net.Conn{session, another} {
		_ = conn.Close()
	}
	if err := process.Wait(); err != nil {
		t.Errorf("%v\n%s", err, log.String())
	}
}
