package deliver_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/deliver/post"

	"github.com/aerosink/aerosink/connector/change/changetest"
)

// authority signs certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pool        *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	template := &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	a := &authority{pool: x509.NewCertPool()}
	issued := a.sign(t, template)
	a.certificate, a.key = issued.Leaf, issued.PrivateKey.(*ecdsa.PrivateKey)
	a.pool.AddCert(a.certificate)
	return a
}

// sign issues a certificate from the template. It is self-signed if a has no certificate
// yet.
func (a *authority) sign(t *testing.T, template *x509.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(time.Hour)
	}
	template.NotBefore = template.NotAfter.Add(-2 * time.Hour)
	template.SerialNumber = big.NewInt(1)
	parent, signer := a.certificate, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// server returns a certificate for 127.0.0.1, modified by change.
func (a *authority) server(t *testing.T, change func(*x509.Certificate)) tls.Certificate {
	c := &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	change(c)
	return a.sign(t, c)
}

func (a *authority) client(t *testing.T, name string) tls.Certificate {
	return a.sign(t, &x509.Certificate{Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
}

func secureServer(t *testing.T, c *tls.Config, handler http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewUnstartedServer(handler)
	s.TLS = c
	s.EnableHTTP2 = true
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL
}

func TestTLS(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	good := func(*x509.Certificate) {}
	client, stranger := ours.client(t, "connector"), theirs.client(t, "stranger")
	demanding := func(c *tls.Config) { c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, ours.pool }
	old := func(version uint16) func(*tls.Config) {
		return func(c *tls.Config) { c.MinVersion, c.MaxVersion = version, version }
	}
	for _, tt := range []struct {
		name        string
		certificate tls.Certificate
		server      func(*tls.Config)
		client      *tls.Config
		err         string
	}{
		{"trusted", ours.server(t, good), nil, &tls.Config{RootCAs: ours.pool}, ""},
		{"TLS 1.2", ours.server(t, good), old(tls.VersionTLS12), &tls.Config{RootCAs: ours.pool}, ""},
		{"with a client certificate", ours.server(t, good), demanding, &tls.Config{RootCAs: ours.pool, Certificates: []tls.Certificate{client}}, ""},
		{"unknown authority", theirs.server(t, good), nil, &tls.Config{RootCAs: ours.pool}, "unknown authority"},
		{"the system's authorities", ours.server(t, good), nil, nil, "unknown authority"},
		{"wrong name", ours.server(t, func(c *x509.Certificate) { c.IPAddresses = nil; c.DNSNames = []string{"elsewhere.example"} }), nil,
			&tls.Config{RootCAs: ours.pool}, "doesn't contain any IP SANs"},
		{"expired", ours.server(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), nil,
			&tls.Config{RootCAs: ours.pool}, "expired"},
		{"no client certificate", ours.server(t, good), demanding, &tls.Config{RootCAs: ours.pool}, "POST https"}, // in TLS 1.3 the client may see no more than a reset
		{"client certificate of another authority", ours.server(t, good), demanding, &tls.Config{RootCAs: ours.pool, Certificates: []tls.Certificate{stranger}}, "POST https"},
		{"TLS 1.1", ours.server(t, good), old(tls.VersionTLS11), &tls.Config{RootCAs: ours.pool}, "protocol version not supported"},
		{"TLS 1.0", ours.server(t, good), old(tls.VersionTLS10), &tls.Config{RootCAs: ours.pool}, "protocol version not supported"},
		{"client requires TLS 1.3", ours.server(t, good), old(tls.VersionTLS12), &tls.Config{RootCAs: ours.pool, MinVersion: tls.VersionTLS13}, "protocol version not supported"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := &tls.Config{Certificates: []tls.Certificate{tt.certificate}}
			if tt.server != nil {
				tt.server(c)
			}
			var posts atomic.Int64
			cfg := config(t, secureServer(t, c, func(http.ResponseWriter, *http.Request) { posts.Add(1) }))
			cfg.TLS = tt.client
			err := send(open(t, cfg), alone, 0, "x").wait(t)
			if tt.err == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantError(t, err, tt.err)
			if posts.Load() != 0 {
				t.Error("the change was sent")
			}
		})
	}
}

// New connections use a replaced client certificate, and existing connections are replaced
// after their TTL, without a failed request.
func TestTLS_certificateRotation(t *testing.T) {
	ours := newAuthority(t)
	var seen, current atomic.Value
	seen.Store("")
	c := &tls.Config{Certificates: []tls.Certificate{ours.server(t, func(*x509.Certificate) {})}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ours.pool}
	at := secureServer(t, c, func(_ http.ResponseWriter, r *http.Request) {
		seen.Store(r.TLS.PeerCertificates[0].Subject.CommonName)
	})
	cfg := config(t, at)
	cfg.ConnectionTTL = 50 * time.Millisecond
	cfg.TLS = &tls.Config{RootCAs: ours.pool, GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		certificate := current.Load().(tls.Certificate)
		return &certificate, nil
	}}
	d := open(t, cfg)
	for _, name := range []string{"first", "second", "third"} {
		current.Store(ours.client(t, name))
		changetest.WaitFor(t, "the "+name+" certificate", func() bool {
			if err := send(d, alone, 0, "x").wait(t); err != nil {
				t.Fatal(err)
			}
			return seen.Load() == name
		})
	}
}

// Health checks use the protocol and the TLS settings of requests.
func TestHealthCheck_overTLS(t *testing.T) {
	for name, protocol := range map[string]post.Protocol{"HTTP/2": post.HTTP2, "HTTP/1.1": post.HTTP1} {
		t.Run(name, func(t *testing.T) {
			ours := newAuthority(t)
			var checks atomic.Int64
			c := &tls.Config{Certificates: []tls.Certificate{ours.server(t, func(*x509.Certificate) {})}}
			cfg := healthConfig(t, secureServer(t, c, func(_ http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet && r.ProtoMajor == map[post.Protocol]int{post.HTTP1: 1, post.HTTP2: 2}[protocol] {
					checks.Add(1)
				}
			}))
			cfg.Protocol, cfg.TLS = protocol, &tls.Config{RootCAs: ours.pool}
			d := open(t, cfg)
			changetest.WaitFor(t, "some checks", func() bool { return checks.Load() > 4 })
			if err := send(d, alone, 0, "x").wait(t); err != nil {
				t.Error(err)
			}
			cfg.TLS = nil
			d = open(t, cfg)
			changetest.WaitFor(t, "an untrusted certificate", func() bool {
				err := send(d, alone, 0, "x").wait(t)
				return err != nil && strings.HasPrefix(err.Error(), "destination there: no endpoint is healthy; the last check: GET https://127.0.0.1") && strings.Contains(err.Error(), "unknown authority")
			})
		})
	}
}
