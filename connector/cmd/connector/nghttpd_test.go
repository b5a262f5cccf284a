package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
)

// An HTTP/2 server of another implementation receives every change, in clear text and
// over TLS.
func TestBinary_nghttpd(t *testing.T) {
	nghttpd, err := exec.LookPath("nghttpd")
	if err != nil {
		t.Skip("nghttpd is not on the PATH; it is in the package nghttp2-server")
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "index.html"), []byte("thanks\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ours := changetest.NewAuthority(t)
	ca := ours.WriteCA(t, filepath.Join(folder, "ca.crt"))
	cert, key := ours.Write(t, folder, "server", "127.0.0.1", time.Now().Add(time.Hour))
	for name, tt := range map[string]struct {
		scheme string
		flags  func(port string) []string
	}{
		"clear": {"http", func(port string) []string { return []string{"--no-tls", port} }},
		"TLS":   {"https", func(port string) []string { return []string{port, key, cert} }},
	} {
		t.Run(name, func(t *testing.T) {
			address := freeAddress(t)
			_, port, _ := strings.Cut(address, ":")
			var log changetest.Output
			there := exec.CommandContext(t.Context(), nghttpd, append([]string{"-v", "-a", "127.0.0.1", "-d", folder}, tt.flags(port)...)...)
			there.Stdout = &log
			if err := there.Start(); err != nil {
				t.Fatal(err)
			}
			log.Find(t, `listen 127\.0\.0\.1:`)
			b := startBinary(t, 0, forward(tt.scheme+"://"+address+"/", "")+batching, "SSL_CERT_FILE="+ca)
			s := &xdrtest.Source{Address: b.xdr, Connections: 4}
			ship(t, s)
			live(s, 2000)
			settle(t, s)
			if got, want := b.answered(t, "success"), s.Stats().Success; got != want || b.answered(t, "error") > 0 {
				t.Errorf("%d delivered, the source counts %d; log:\n%s", got, want, b.log)
			}
			log.Find(t, `:method: POST`)
			b.terminate(t)
		})
	}
}

// freeAddress returns an address with a free port, for a server that cannot choose one and
// report it.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
