package tlsfile_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/tlsfile"
)

func open(t testing.TB, s tlsfile.Source) *tlsfile.Files {
	t.Helper()
	f, err := tlsfile.Open(s)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func server(t testing.TB, s tlsfile.Source) *tls.Config {
	t.Helper()
	c, err := open(t, s).Server()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// talk performs a handshake over loopback and sends a byte to the client. The client must
// read, since that is when it learns whether the server accepted its certificate.
func talk(t *testing.T, client, server *tls.Config, dialled string) (version uint16, err error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	served := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err == nil {
			defer conn.Close()
			_, err = tls.Server(conn, server).Write([]byte{1})
		}
		served <- err
	}()
	raw, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	client = client.Clone()
	client.ServerName = dialled
	conn := tls.Client(raw, client)
	_, err = io.ReadFull(conn, make([]byte, 1))
	_ = conn.Close()
	if errServed := <-served; err == nil {
		err = errServed
	}
	return conn.ConnectionState().Version, err
}

func TestFiles_handshake(t *testing.T) {
	folder := t.TempDir()
	ours, other := changetest.NewAuthority(t), changetest.NewAuthority(t)
	soon, past := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
	ca := ours.WriteCA(t, filepath.Join(folder, "ca.crt"))
	serverCert, serverKey := ours.Write(t, folder, "server", "db.example", soon)
	addressCert, addressKey := ours.Write(t, folder, "address", "127.0.0.1", soon)
	expiredCert, expiredKey := ours.Write(t, folder, "expired", "db.example", past)
	clientCert, clientKey := ours.Write(t, folder, "client", "node-1", soon)
	staleCert, staleKey := ours.Write(t, folder, "stale", "node-1", past)
	otherCert, otherKey := other.Write(t, folder, "other", "node-1", soon)

	plain := tlsfile.Source{CertFile: serverCert, KeyFile: serverKey}
	mutual := tlsfile.Source{CertFile: serverCert, KeyFile: serverKey, CAFile: ca}
	named := mutual
	named.PeerNames = []string{"node-0", "node-1"}
	unnamed := mutual
	unnamed.PeerNames = []string{"node-0"}
	trusting := tlsfile.Source{CAFile: ca}
	for _, tt := range []struct {
		name           string
		server, client tlsfile.Source
		dialled, err   string
	}{
		{"server name", plain, trusting, "db.example", ""},
		{"another name", plain, trusting, "evil.example", "not evil.example"},
		{"allowed peer name", plain, tlsfile.Source{CAFile: ca, PeerNames: []string{"db.example"}}, "cloud.example", ""},
		{"peer name not allowed", plain, tlsfile.Source{CAFile: ca, PeerNames: []string{"eu.example"}}, "db.example", `not for one of ["eu.example"]`},
		{"address", tlsfile.Source{CertFile: addressCert, KeyFile: addressKey}, trusting, "127.0.0.1", ""},
		{"another address", plain, trusting, "127.0.0.1", `not for one of ["127.0.0.1"]`},
		{"expired", tlsfile.Source{CertFile: expiredCert, KeyFile: expiredKey}, trusting, "db.example", "expired"},
		{"an unknown authority", tlsfile.Source{CertFile: otherCert, KeyFile: otherKey}, trusting, "node-1", "unknown authority"},
		{"authority unknown to the system", plain, tlsfile.Source{}, "db.example", "unknown authority"},
		{"authority unknown to the system, with peer names", plain, tlsfile.Source{PeerNames: []string{"db.example"}}, "db.example", "unknown authority"},

		{"client certificate", mutual, tlsfile.Source{CAFile: ca, CertFile: clientCert, KeyFile: clientKey}, "db.example", ""},
		{"no client certificate", mutual, trusting, "db.example", "certificate required"},
		{"client certificate of an unknown authority", mutual, tlsfile.Source{CAFile: ca, CertFile: otherCert, KeyFile: otherKey}, "db.example", "unknown certificate authority"},
		{"expired client certificate", mutual, tlsfile.Source{CAFile: ca, CertFile: staleCert, KeyFile: staleKey}, "db.example", "expired certificate"},
		{"client certificate with an allowed name", named, tlsfile.Source{CAFile: ca, CertFile: clientCert, KeyFile: clientKey}, "db.example", ""},
		{"client certificate with another name", unnamed, tlsfile.Source{CAFile: ca, CertFile: clientCert, KeyFile: clientKey}, "db.example", "bad certificate"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := talk(t, open(t, tt.client).Client([]string{tt.dialled}), server(t, tt.server), tt.dialled)
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
		})
	}
}

// Neither side uses a version before 1.2, nor one outside the range.
func TestFiles_versions(t *testing.T) {
	folder := t.TempDir()
	ours := changetest.NewAuthority(t)
	cert, key := ours.Write(t, folder, "server", "db.example", time.Now().Add(time.Hour))
	ca := ours.WriteCA(t, filepath.Join(folder, "ca.crt"))
	for _, tt := range []struct {
		peer                   uint16 // the only version of the other side
		oldest, newest, agreed uint16
	}{
		{tls.VersionTLS10, 0, 0, 0},
		{tls.VersionTLS11, 0, 0, 0},
		{tls.VersionTLS12, 0, 0, tls.VersionTLS12},
		{tls.VersionTLS13, 0, 0, tls.VersionTLS13},
		{tls.VersionTLS12, tls.VersionTLS13, tls.VersionTLS13, 0},
		{tls.VersionTLS13, tls.VersionTLS12, tls.VersionTLS12, 0},
	} {
		s := tlsfile.Source{CertFile: cert, KeyFile: key, CAFile: ca, MinVersion: tt.oldest, MaxVersion: tt.newest}
		limit := func(c *tls.Config) *tls.Config {
			c = c.Clone()
			c.MinVersion, c.MaxVersion = tt.peer, tt.peer
			c.GetConfigForClient = nil
			return c
		}
		ourServer, ourClient := server(t, s), open(t, s).Client(nil)
		asServer, err := talk(t, limit(ourClient), ourServer, "db.example")
		if (err == nil) != (tt.agreed != 0) || err == nil && asServer != tt.agreed {
			t.Errorf("as a server, to a client of %x: %x, %v, want %x", tt.peer, asServer, err, tt.agreed)
		}
		asClient, err := talk(t, ourClient, limit(ourServer), "db.example")
		if (err == nil) != (tt.agreed != 0) || err == nil && asClient != tt.agreed {
			t.Errorf("as a client, to a server of %x: %x, %v, want %x", tt.peer, asClient, err, tt.agreed)
		}
	}
}

func TestOpen_errors(t *testing.T) {
	folder := t.TempDir()
	ours := changetest.NewAuthority(t)
	cert, key := ours.Write(t, folder, "server", "db.example", time.Now().Add(time.Hour))
	_, otherKey := ours.Write(t, folder, "other", "db.example", time.Now().Add(time.Hour))
	for _, tt := range []struct {
		name   string
		source tlsfile.Source
		want   string
	}{
		{"no such file", tlsfile.Source{CertFile: "/nonexistent/a", KeyFile: key}, "/nonexistent/a: no such file"},
		{"no such key", tlsfile.Source{CertFile: cert, KeyFile: "/nonexistent/a"}, "/nonexistent/a: no such file"},
		{"key of another certificate", tlsfile.Source{CertFile: cert, KeyFile: otherKey}, "private key does not match public key"},
		{"no key", tlsfile.Source{CertFile: cert}, "name both files"},
		{"no certificate", tlsfile.Source{KeyFile: key}, "name both files"},
		{"directory", tlsfile.Source{CAFile: folder}, "not a regular file"},
		{"key as authority", tlsfile.Source{CAFile: key}, "it has no certificate"},
		{"PEM and key store", tlsfile.Source{CertFile: cert, KeyFile: key, KeyStore: tlsfile.Store{File: cert}}, "keep one"},
		{"PEM and trust store", tlsfile.Source{CAFile: cert, TrustStore: tlsfile.Store{File: cert}}, "keep one"},
	} {
		if _, err := tlsfile.Open(tt.source); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one that says %q", tt.name, err, tt.want)
		}
	}
	if _, err := open(t, tlsfile.Source{}).Server(); err == nil || !strings.Contains(err.Error(), "needs a certificate") {
		t.Errorf("a server without a certificate: error %v", err)
	}
	if _, err := open(t, tlsfile.Source{CertFile: cert, KeyFile: key, PeerNames: []string{"a"}}).Server(); err == nil || !strings.Contains(err.Error(), "name the authorities") {
		t.Errorf("names without authorities: error %v", err)
	}
}

// A client without a certificate can use a server that requests one but does not require it.
func TestFiles_certificateRequested(t *testing.T) {
	folder := t.TempDir()
	ours := changetest.NewAuthority(t)
	cert, key := ours.Issue(t, "db.example", time.Now().Add(time.Hour))
	asking := &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}}, MinVersion: tls.VersionTLS12,
		ClientAuth: tls.RequestClientCert, ClientCAs: x509.NewCertPool(),
	}
	client := open(t, tlsfile.Source{CAFile: ours.WriteCA(t, filepath.Join(folder, "ca.crt"))}).Client(nil)
	if _, err := talk(t, client, asking, "db.example"); err != nil {
		t.Error(err)
	}
}

func TestFiles_Leaf(t *testing.T) {
	if c := open(t, tlsfile.Source{}).Leaf(); c != nil {
		t.Errorf("without a certificate %v", c.Subject)
	}
	ends := time.Now().Add(-time.Hour)
	cert, key := changetest.NewAuthority(t).Write(t, t.TempDir(), "server", "a.example", ends)
	if c := open(t, tlsfile.Source{CertFile: cert, KeyFile: key}).Leaf(); c == nil || c.NotAfter.Unix() != ends.Unix() {
		t.Errorf("%+v", c)
	}
}

// Ends returns the earliest expiry in a chain.
func TestFiles_Ends(t *testing.T) {
	if end := open(t, tlsfile.Source{}).Ends(); !end.IsZero() {
		t.Errorf("without a certificate %v", end)
	}
	folder, ours := t.TempDir(), changetest.NewAuthority(t) // valid for an hour
	for _, tt := range []struct{ lives, want time.Duration }{{10 * time.Minute, 10 * time.Minute}, {2 * time.Hour, time.Hour}} {
		cert, key := ours.Write(t, folder, "server", "a.example", time.Now().Add(tt.lives))
		leaf, err := os.ReadFile(cert)
		if err != nil {
			t.Fatal(err)
		}
		above, err := os.ReadFile(ours.WriteCA(t, filepath.Join(folder, "ca.crt")))
		if err != nil {
			t.Fatal(err)
		}
		write(t, cert, append(leaf, above...))
		left := time.Until(open(t, tlsfile.Source{CertFile: cert, KeyFile: key}).Ends())
		if left > tt.want || left < tt.want-time.Minute {
			t.Errorf("a chain of certificates for %v and for an hour expires in %v, want %v", tt.lives, left, tt.want)
		}
	}
}

func write(t testing.TB, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}
