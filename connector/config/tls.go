package config

import (
	"crypto/tls"
	"crypto/x509"
	"slices"
	"strings"
	"time"

	"github.com/aerosink/aerosink/connector/tlsfile"
)

// TLSPorts are ports for TLS. There are none if Listen is empty.
type TLSPorts struct {
	Listen []string    // host:port
	Config *tls.Config // Config.Reload and Config.Refresh update it
}

// tlsSection is the path of a TLS section and the files that it names.
type tlsSection struct {
	path string
	*tlsfile.Files
}

// tlsServer reads the TLS section of a listener.
func tlsServer(s *section) *tls.Config {
	files := tlsFiles(s)
	if files == nil {
		return nil
	}
	config, err := files.Server()
	if err != nil {
		s.Doc.Error(s.Path, s.Position(), "%v; use key-store and trust-store, or the PEM files cert-file, key-file and ca-file", err)
	}
	return config
}

// tlsFiles reads the keys that all TLS sections have. It returns nil after an error, or if
// files are not read.
func tlsFiles(s *section) *tlsfile.Files {
	before := s.Doc.ErrorCount()
	source := tlsfile.Source{
		CertFile: s.file("cert-file"), KeyFile: s.private("key-file"), CAFile: s.file("ca-file"),
		KeyStore: store(s, "key-store"), TrustStore: store(s, "trust-store"),
		PeerNames: peerNames(s), Ciphers: ciphers(s),
	}
	var err error
	source.MinVersion, source.MaxVersion, err = tlsfile.Versions(s.Texts("protocols"))
	if err != nil {
		s.Error("protocols", "%v", err)
	}
	if s.Doc.ErrorCount() > before || s.found.elsewhere {
		return nil
	}
	files, err := tlsfile.Open(source)
	if err != nil {
		s.Doc.Error(s.Path, s.Position(), "%v", err)
		return nil
	}
	if leaf := files.Leaf(); leaf != nil {
		checkTime(s, leaf)
	}
	s.found.files = append(s.found.files, tlsSection{s.Path, files})
	return files
}

// checkTime warns about a certificate that is expired or not yet valid. It is not an error,
// because the certificate may be replaced before the connector starts.
func checkTime(s *section, c *x509.Certificate) {
	const minute = "2006-01-02 15:04 MST"
	switch now := time.Now(); {
	case now.After(c.NotAfter):
		s.Doc.Warn(s.Path, s.Position(), "the certificate expired on %s; renew it", c.NotAfter.UTC().Format(minute))
	case now.Before(c.NotBefore):
		s.Doc.Warn(s.Path, s.Position(), "the certificate is not valid before %s; check the clock", c.NotBefore.UTC().Format(minute))
	}
}

// peerNames returns the allowed names of peers. An empty name is an error: it would match
// every certificate without a common name.
func peerNames(s *section) []string {
	if s.CheckEmpty("allowed-peer-names", "list the names") {
		return nil
	}
	names := s.Texts("allowed-peer-names")
	if slices.Contains(names, "") {
		s.Error("allowed-peer-names", "one of the names is empty; remove it")
	}
	return names
}

func store(s *section, key string) tlsfile.Store {
	if s.CheckEmpty(key, "name its store-file") || !s.Has(key) {
		return tlsfile.Store{}
	}
	t := s.Sub(key)
	defer t.End()
	if t.IsOneOf("store-type", "PKCS11", "DKS", "Windows_MY", "BKS") {
		t.Error("store-type", "only Java reads this kind; export to PKCS12, or to PEM and use cert-file, key-file, ca-file")
	} else {
		t.Word("store-type", "PKCS12", "PKCS12", "JKS", "JCEKS")
	}
	if t.Nodes["store-file"] == nil {
		t.Error("store-file", "missing; name the file of the store")
	}
	read := t.private
	if key == "trust-store" {
		read = t.file
	}
	return tlsfile.Store{File: read("store-file"), PasswordFile: read("store-password-file"), KeyPasswordFile: read("key-password-file")}
}

// ciphers returns the supported cipher suites. It warns about unsupported ones, and reports
// an error if none remains.
func ciphers(s *section) []uint16 {
	var ids []uint16
	fixed := 0
	names := s.Texts("ciphers")
	for _, name := range names {
		id, err := tlsfile.Cipher(name)
		switch {
		case err == nil:
			ids = append(ids, id)
		case tlsfile.IsFixedCipher(err):
			fixed++
			s.Warn("ciphers", "%s is ignored: %v", name, err)
		default:
			s.Warn("ciphers", "ignored: %v", err)
		}
	}
	if len(names) > 0 && len(ids)+fixed == 0 {
		s.Error("ciphers", "none of %s is supported; leave the key out for secure defaults", strings.Join(names, ", "))
	}
	return ids
}
