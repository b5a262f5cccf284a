// Package tlsfile makes TLS configurations of files: PEM as servers have it, and
// the PKCS#12 stores of Java. What it returns follows the files: after
// [Files.Reload] new handshakes use what is in them now, and connections that are
// open stay. Who connects to whom, it does not know.
package tlsfile

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// Source says where keys and certificates are, and what is agreed to. Paths are
// read as they are. The zero Source has no certificate, trusts the system's
// authorities, and speaks TLS 1.2 and 1.3.
type Source struct {
	CertFile, KeyFile string // PEM; the certificate may be followed by its chain
	CAFile            string // PEM

	KeyStore, TrustStore Store // instead of those

	MinVersion, MaxVersion uint16   // 0 is TLS 1.2, and whatever is newest
	Ciphers                []uint16 // of TLS 1.2; nil is Go's choice

	// PeerNames are the names one of which the peer's certificate must have. For
	// a client they stand in place of the name that it dialled; none lets a server
	// accept any certificate of its authorities.
	PeerNames []string
}

// Files are the keys and certificates of a [Source]. They may be used by several
// goroutines at once.
type Files struct {
	source Source
	now    atomic.Pointer[content]
}

// content is what was in the files.
type content struct {
	certificate *tls.Certificate // nil when there is none
	authorities *x509.CertPool   // nil when there are none
}

// Open reads the files.
func Open(s Source) (*Files, error) {
	f := &Files{source: s}
	return f, f.Reload()
}

// Reload reads the files again. When one cannot be read, all stays as it was.
func (f *Files) Reload() error {
	var c content
	var err error
	if c.certificate, err = f.source.certificate(); err != nil {
		return err
	}
	if c.authorities, err = f.source.authorities(); err != nil {
		return err
	}
	f.now.Store(&c)
	return nil
}

// Leaf returns the certificate that the other side is shown, and nil when there is
// none. It must not be changed.
func (f *Files) Leaf() *x509.Certificate {
	if c := f.now.Load().certificate; c != nil {
		return c.Leaf
	}
	return nil
}

// Ends returns when the certificate that the other side is shown stops being one, or
// the first of its chain does. It returns the zero time when there is none.
func (f *Files) Ends() time.Time {
	c := f.now.Load().certificate
	if c == nil {
		return time.Time{}
	}
	ends := c.Leaf.NotAfter
	for _, der := range c.Certificate[1:] {
		if above, err := x509.ParseCertificate(der); err == nil && above.NotAfter.Before(ends) {
			ends = above.NotAfter
		}
	}
	return ends
}

func (s *Source) certificate() (*tls.Certificate, error) {
	switch {
	case s.KeyStore.File != "" && s.CertFile != "":
		return nil, errors.New("a key store and a PEM certificate; keep one of them")
	case s.KeyStore.File != "":
		return s.KeyStore.certificate()
	case (s.CertFile == "") != (s.KeyFile == ""):
		return nil, errors.New("a certificate and its key go together; name both files")
	case s.CertFile != "":
		return certificatePEM(s.CertFile, s.KeyFile)
	}
	return nil, nil
}

func (s *Source) authorities() (*x509.CertPool, error) {
	switch {
	case s.TrustStore.File != "" && s.CAFile != "":
		return nil, errors.New("a trust store and a PEM file of authorities; keep one of them")
	case s.TrustStore.File != "":
		return s.TrustStore.authorities()
	case s.CAFile != "":
		return authoritiesPEM(s.CAFile)
	}
	return nil, nil
}

// Server returns the configuration of a server. With authorities every client
// must show a certificate of theirs. Sessions are not resumed: a resumed one would
// not look at the files. It returns an error without a certificate.
func (f *Files) Server() (*tls.Config, error) {
	if f.now.Load().certificate == nil {
		return nil, errors.New("a server needs a certificate and its key")
	}
	if len(f.source.PeerNames) > 0 && f.now.Load().authorities == nil {
		return nil, errors.New("names of clients are known by certificates; name the authorities that sign them")
	}
	base := f.base()
	base.SessionTicketsDisabled = true
	base.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return f.now.Load().certificate, nil }
	if len(f.source.PeerNames) > 0 {
		base.VerifyConnection = func(s tls.ConnectionState) error { return f.checkName(s.PeerCertificates[0], f.source.PeerNames) }
	}
	config := base.Clone()
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		current := base.Clone()
		if pool := f.now.Load().authorities; pool != nil {
			current.ClientAuth, current.ClientCAs = tls.RequireAndVerifyClientCert, pool
		}
		return current, nil
	}
	return config, nil
}

// Client returns the configuration of a client that dials hosts, names or
// addresses. It shows its certificate, if it has one, to a server that asks.
func (f *Files) Client(hosts []string) *tls.Config {
	config := f.base()
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		if c := f.now.Load().certificate; c != nil {
			return c, nil
		}
		return new(tls.Certificate), nil
	}
	if f.now.Load().authorities == nil && len(f.source.PeerNames) == 0 {
		return config
	}
	config.InsecureSkipVerify = true // VerifyConnection verifies, by the authorities of the moment
	config.VerifyConnection = func(s tls.ConnectionState) error { return f.verifyServer(s, hosts) }
	return config
}

func (f *Files) base() *tls.Config {
	return &tls.Config{
		MinVersion:   max(f.source.MinVersion, tls.VersionTLS12),
		MaxVersion:   f.source.MaxVersion,
		CipherSuites: f.source.Ciphers,
	}
}

// verifyServer does what crypto/tls does by itself, with the authorities of the
// moment. An address is not told to the server, so ServerName is empty: then the
// certificate must be for one of hosts.
func (f *Files) verifyServer(s tls.ConnectionState, hosts []string) error {
	leaf := s.PeerCertificates[0]
	options := x509.VerifyOptions{Roots: f.now.Load().authorities, Intermediates: x509.NewCertPool()}
	for _, c := range s.PeerCertificates[1:] {
		options.Intermediates.AddCert(c)
	}
	if _, err := leaf.Verify(options); err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: s.PeerCertificates, Err: err}
	}
	switch {
	case len(f.source.PeerNames) > 0:
		return f.checkName(leaf, f.source.PeerNames)
	case s.ServerName != "":
		return leaf.VerifyHostname(s.ServerName)
	}
	return f.checkName(leaf, hosts)
}

// checkName returns an error when leaf has none of names, neither as an
// alternative name nor as its common name.
func (f *Files) checkName(leaf *x509.Certificate, names []string) error {
	for _, name := range names {
		if leaf.VerifyHostname(name) == nil || len(f.source.PeerNames) > 0 && leaf.Subject.CommonName == name {
			return nil
		}
	}
	return fmt.Errorf("the certificate is for %q, %q and %v, and for none of %q", leaf.Subject.CommonName, leaf.DNSNames, leaf.IPAddresses, names)
}
