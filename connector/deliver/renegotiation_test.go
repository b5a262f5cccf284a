package deliver_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aerosink/aerosink/connector/deliver/post"
)

// A server may ask for a client certificate when it has seen the path of a request, by
// renegotiation. Go's own server cannot, so this one is OpenSSL's.
func TestTLS_renegotiation(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	ours := newAuthority(t)
	certificate := writeCertificate(t, ours.server(t, noChange))
	cmd := exec.CommandContext(t.Context(), openssl, "s_server", "-accept", "127.0.0.1:0", "-tls1_2", "-client_renegotiation", "-cert", certificate, "-key", certificate)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); _ = cmd.Wait() }) // it is killed
	lines := bufio.NewScanner(out)
	wantLine := func(prefix string) string {
		t.Helper()
		for lines.Scan() {
			if rest, ok := strings.CutPrefix(lines.Text(), prefix); ok {
				return rest
			}
		}
		t.Fatalf("openssl printed no line %q", prefix)
		return ""
	}
	c := config(t, "https://"+wantLine("ACCEPT "))
	c.Protocol = post.HTTP1
	c.TLS = &tls.Config{RootCAs: ours.pool, Certificates: []tls.Certificate{ours.client(t, "connector")}}
	sent := send(open(t, c), alone, 0, "the change\n")
	wantLine("the change")
	write := func(text string) {
		t.Helper()
		if _, err := io.WriteString(in, text); err != nil {
			t.Fatal(err)
		}
	}
	write("R\n") // asks for a certificate
	wantLine("SSL_do_handshake -> 1")
	write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	if err := sent.wait(t); err != nil {
		t.Error(err)
	}
}

// writeCertificate writes a certificate and its key to a file, and returns its path.
func writeCertificate(t *testing.T, c tls.Certificate) string {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	for kind, der := range map[string][]byte{"CERTIFICATE": c.Certificate[0], "PRIVATE KEY": key} {
		if err := pem.Encode(&b, &pem.Block{Type: kind, Bytes: der}); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), fmt.Sprint(c.Leaf.SerialNumber, ".pem"))
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
