package main

import (
	"context"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/change/changetest"
)

// The hint about another connector is only for an address that is in use.
func TestServe_addressNotAvailable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "connector.yml")
	write(t, path, []byte("service: {port: 0, address: 192.0.2.1}\ndestinations: {a: {urls: [\"http://b\"]}}\nrouting: {mode: skip}\n"))
	err := run(t.Context(), []string{"-config", path}, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "listen on 192.0.2.1:0: ") || !strings.HasSuffix(err.Error(), "; choose another port or address") {
		t.Errorf("error %v", err)
	}
}

// Errors of the manage server go to the log.
func TestServe_manageErrorsLogged(t *testing.T) {
	folder := t.TempDir()
	changetest.NewAuthority(t).Write(t, folder, "server", "aerosink", time.Now().Add(time.Hour))
	path := filepath.Join(folder, "connector.yml")
	write(t, path, []byte(`
service: {port: 0, address: 127.0.0.1, manage: {address: 127.0.0.1, tls: {port: 0, address: 127.0.0.1, cert-file: server.crt, key-file: server.key}}}
destinations: {a: {urls: ["http://b"]}}
routing: {mode: skip}
`))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	var log changetest.Output
	go func() { ended <- run(ctx, []string{"-config", path}, io.Discard, &log) }()
	conn := dial(t, log.Find(t, `"manage":\["([^"]+)"`))
	if _, err := conn.Write([]byte("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	log.Find(t, `"severity":"WARNING","message":"(http: TLS handshake error) from`)
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
