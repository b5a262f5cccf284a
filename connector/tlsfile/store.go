package tlsfile

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	"software.sslmate.com/src/go-pkcs12"
)

// Store is a PKCS#12 store. What kind of store a file is, it says itself.
type Store struct {
	File            string
	PasswordFile    string // "" is no password
	KeyPasswordFile string // must hold the same password; "" is the same
}

// The first bytes of Java's own kinds of stores (sun.security.provider.JavaKeyStore,
// com.sun.crypto.provider.JceKeyStore).
const (
	magicJKS   = "\xfe\xed\xfe\xed"
	magicJCEKS = "\xce\xce\xce\xce"
)

// open returns what is in the store, and its password.
func (s *Store) open() ([]byte, string, error) {
	text, err := read(s.File)
	if err != nil {
		return nil, "", err
	}
	for _, magic := range []string{magicJKS, magicJCEKS} {
		if bytes.HasPrefix(text, []byte(magic)) {
			return nil, "", fmt.Errorf("%s is a store of Java's own kind; convert it with: %s", s.File, s.conversion(magic))
		}
	}
	password, err := s.password(s.PasswordFile)
	if err != nil || s.KeyPasswordFile == "" {
		return text, password, err
	}
	keyPassword, err := s.password(s.KeyPasswordFile)
	if err == nil && keyPassword != password {
		err = fmt.Errorf("%s: the key has another password than the store; give both one with: %s", s.File, s.conversion(""))
	}
	return text, password, err
}

// conversion returns the command that makes a PKCS#12 store of this one, with the
// same password, and where to name that. Words in capitals are for the user to replace.
func (s *Store) conversion(magic string) string {
	kind := map[string]string{magicJKS: " -srcstoretype JKS", magicJCEKS: " -srcstoretype JCEKS"}[magic]
	password := cmp.Or(s.PasswordFile, "PASSWORD-FILE")
	key := ""
	if s.KeyPasswordFile != "" {
		key = " -srcalias ALIAS -srckeypass:file " + s.KeyPasswordFile
	}
	return fmt.Sprintf("keytool -importkeystore -noprompt -srckeystore %s%s -srcstorepass:file %s%s -destkeystore %s.p12 -deststoretype PKCS12 -deststorepass:file %s; and name %s.p12 in store-file",
		s.File, kind, password, key, s.File, password, s.File)
}

func (*Store) password(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	text, err := read(path)
	return string(bytes.TrimRight(text, "\r\n")), err
}

func (s *Store) certificate() (*tls.Certificate, error) {
	text, password, err := s.open()
	if err != nil {
		return nil, err
	}
	key, leaf, chain, err := pkcs12.DecodeChain(text, password)
	if err != nil {
		return nil, s.unreadable(err)
	}
	c := &tls.Certificate{PrivateKey: key, Leaf: leaf, Certificate: [][]byte{leaf.Raw}}
	for _, above := range chain {
		c.Certificate = append(c.Certificate, above.Raw)
	}
	return c, nil
}

// authorities returns the certificates that keytool marks as trusted, or those
// above a key.
func (s *Store) authorities() (*x509.CertPool, error) {
	text, password, err := s.open()
	if err != nil {
		return nil, err
	}
	trusted, err := pkcs12.DecodeTrustStore(text, password)
	if err != nil {
		_, _, chain, errChain := pkcs12.DecodeChain(text, password)
		if errChain != nil {
			return nil, s.unreadable(err)
		}
		trusted = chain
	}
	if len(trusted) == 0 {
		return nil, fmt.Errorf("store %s: %w; fill it with keytool -importcert", s.File, errNoCertificate)
	}
	pool := x509.NewCertPool()
	for _, c := range trusted {
		pool.AddCert(c)
	}
	return pool, nil
}

func (s *Store) unreadable(err error) error {
	if errors.Is(err, pkcs12.ErrIncorrectPassword) {
		return fmt.Errorf("store %s: its password is not what %s holds", s.File, s.PasswordFile)
	}
	return fmt.Errorf("store %s: %w", s.File, err)
}
