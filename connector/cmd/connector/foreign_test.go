package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
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

// An HTTP/2 server that is not ours takes everything, in clear text and over TLS.
func TestBinaryForeignServer(t *testing.T) {
	nghttpd, err := exec.LookPath("nghttpd")
	if err != nil {
		t.Skip("nghttpd is not on the PATH; it is in the package nghttp2-server")
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "index.html"), []byte("thanks\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	key, cert := certificate(t)
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
			b := startBinary(t, 0, forward(tt.scheme+"://"+address+"/", "")+batching, "SSL_CERT_FILE="+cert)
			s := &xdrtest.Source{Address: b.xdr, Connections: 4}
			ship(t, s)
			live(s, 2000)
			settle(t, s)
			if got, want := b.answered(t, "success"), s.Stats().Success; got != want || b.answered(t, "error") > 0 {
				t.Errorf("%d delivered, the source says %d; log:\n%s", got, want, b.log)
			}
			log.Find(t, `:method: POST`)
			b.terminate(t)
		})
	}
}

// freeAddress returns one that nobody listens on, for a server that cannot say
// which port it was given.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// certificate returns files with a key and a certificate of 127.0.0.1 that is its
// own authority.
func certificate(t *testing.T) (key, cert string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for name, block := range map[string]*pem.Block{"key": {Type: "PRIVATE KEY", Bytes: secret}, "cert": {Type: "CERTIFICATE", Bytes: der}} {
		if err := os.WriteFile(filepath.Join(folder, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(folder, "key"), filepath.Join(folder, "cert")
}
