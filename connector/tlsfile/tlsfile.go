// Package tlsfile makes TLS configurations from files: PEM files and the PKCS#12 stores of
// Java. After [Files.Reload], or [Files.Refresh] if they have changed, new handshakes use
// the new content; open connections stay open. The package does not know who connects to
// whom.
package tlsfile

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Source says where keys and certificates are, and which versions and cipher suites to use.
// The zero Source has no certificate, trusts the authorities of the system, and speaks TLS
// 1.2 and 1.3.
type Source struct {
	CertFile, KeyFile string // PEM; the chain may follow the certificate
	CAFile            string // PEM

	KeyStore, TrustStore Store // instead of PEM files

	MinVersion, MaxVersion uint16   // 0 is TLS 1.2, and the newest version
	Ciphers                []uint16 // of TLS 1.2; nil uses Go's default

	// PeerNames are names, one of which the certificate of the peer must have. A client
	// checks them instead of the name that it dialled. Without any, a server accepts every
	// certificate of its authorities.
	PeerNames []string
}

// Files are the keys and certificates of a [Source]. They are safe for concurrent use.
type Files struct {
	source Source
	now    atomic.Pointer[content]

	mu     sync.Mutex    // held while files are read
	seen   []os.FileInfo // of the files when they were last read; nil for one that was missing
	failed bool          // they could not be read then
}

// content is the content of the files.
type content struct {
	certificate *tls.Certificate // may be nil
	authorities *x509.CertPool   // may be nil
	loaded      time.Time
}

// Open reads the files.
func Open(s Source) (*Files, error) {
	f := &Files{source: s}
	return f, f.Reload()
}

// Reload reads the files again. If one cannot be read, the old content stays in use.
func (f *Files) Reload() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reload()
}

// Refresh is like Reload, but does nothing unless a file has changed since the files were
// last read, or could not be read then. It reports whether new content is in use.
func (f *Files) Refresh() (reloaded bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.failed && slices.EqualFunc(f.seen, f.source.stat(), isUnchanged) {
		return false, nil
	}
	err = f.reload()
	return err == nil, err
}

// isUnchanged reports whether a and b are the same file with the same content. Either may be
// nil.
func isUnchanged(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// reload is Reload for callers that hold f.mu.
func (f *Files) reload() error {
	f.seen = f.source.stat() // before they are read, so that no change is missed
	c, err := f.source.load()
	f.failed = err != nil
	if err == nil {
		f.now.Store(c)
	}
	return err
}

// Loaded returns when the content in use was read.
func (f *Files) Loaded() time.Time { return f.now.Load().loaded }

// stat returns the state of each file, nil for one that is missing.
func (s *Source) stat() []os.FileInfo {
	var infos []os.FileInfo
	for _, path := range []string{
		s.CertFile, s.KeyFile, s.CAFile,
		s.KeyStore.File, s.KeyStore.PasswordFile, s.KeyStore.KeyPasswordFile,
		s.TrustStore.File, s.TrustStore.PasswordFile, s.TrustStore.KeyPasswordFile,
	} {
		info, err := os.Stat(path)
		if err != nil {
			info = nil // reading it says why
		}
		infos = append(infos, info)
	}
	return infos
}

// load reads the files.
func (s *Source) load() (*content, error) {
	c := content{loaded: time.Now()}
	var err error
	if c.certificate, err = s.certificate(); err != nil {
		return nil, err
	}
	if c.authorities, err = s.authorities(); err != nil {
		return nil, err
	}
	return &c, nil
}

// Leaf returns the certificate for the peer, or nil if there is none. Do not modify it.
func (f *Files) Leaf() *x509.Certificate {
	if c := f.now.Load().certificate; c != nil {
		return c.Leaf
	}
	return nil
}

// Ends returns when the certificate for the peer, or the first of its chain, expires. It
// returns the zero time if there is none.
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
		return nil, errors.New("both a key store and a PEM certificate are set; keep one")
	case s.KeyStore.File != "":
		return s.KeyStore.certificate()
	case (s.CertFile == "") != (s.KeyFile == ""):
		return nil, errors.New("a certificate needs its key, and the reverse; name both files")
	case s.CertFile != "":
		return certificatePEM(s.CertFile, s.KeyFile)
	}
	return nil, nil
}

func (s *Source) authorities() (*x509.CertPool, error) {
	switch {
	case s.TrustStore.File != "" && s.CAFile != "":
		return nil, errors.New("both a trust store and a PEM file of authorities are set; keep one")
	case s.TrustStore.File != "":
		return s.TrustStore.authorities()
	case s.CAFile != "":
		return authoritiesPEM(s.CAFile)
	}
	return nil, nil
}

// Server returns the configuration of a server. With authorities, every client needs a
// certificate of theirs. Sessions are not resumed, since a resumed session would not check
// the files. Without a certificate it returns an error.
func (f *Files) Server() (*tls.Config, error) {
	if f.now.Load().certificate == nil {
		return nil, errors.New("a server needs a certificate and its key")
	}
	if len(f.source.PeerNames) > 0 && f.now.Load().authorities == nil {
		return nil, errors.New("the names of clients are checked in their certificates; name the authorities that sign them")
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

// Client returns the configuration of a client that dials hosts, which are names or
// addresses. It sends its certificate, if it has one, to a server that asks for it.
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
	config.InsecureSkipVerify = true // VerifyConnection verifies, with the current authorities
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

// verifyServer verifies as crypto/tls does, but with the current authorities. For an address
// ServerName is empty; the certificate must then be for one of hosts.
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

// checkName returns an error unless leaf has one of names as an alternative name or as its
// common name.
func (f *Files) checkName(leaf *x509.Certificate, names []string) error {
	for _, name := range names {
		if leaf.VerifyHostname(name) == nil || len(f.source.PeerNames) > 0 && leaf.Subject.CommonName == name {
			return nil
		}
	}
	return fmt.Errorf("the certificate is for %q, %q and %v, not for one of %q", leaf.Subject.CommonName, leaf.DNSNames, leaf.IPAddresses, names)
}
