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

// Store is a PKCS#12 store. The file itself tells the kind of store.
type Store struct {
	File            string
	PasswordFile    string // "" is no password
	KeyPasswordFile string // must have the same password; may be ""
}

// The first bytes of stores of Java's own kinds (sun.security.provider.JavaKeyStore,
// com.sun.crypto.provider.JceKeyStore).
const (
	magicJKS   = "\xfe\xed\xfe\xed"
	magicJCEKS = "\xce\xce\xce\xce"
)

// open returns the content of the store, and its password.
func (s *Store) open() ([]byte, string, error) {
	text, err := read(s.File)
	if err != nil {
		return nil, "", err
	}
	for _, magic := range []string{magicJKS, magicJCEKS} {
		if bytes.HasPrefix(text, []byte(magic)) {
			return nil, "", fmt.Errorf("%s is not a PKCS#12 store, but of a kind of Java's own; convert it with: %s", s.File, s.conversion(magic))
		}
	}
	password, err := s.password(s.PasswordFile)
	if err != nil || s.KeyPasswordFile == "" {
		return text, password, err
	}
	keyPassword, err := s.password(s.KeyPasswordFile)
	if err == nil && keyPassword != password {
		err = fmt.Errorf("%s: key and store have different passwords; give them the same with: %s", s.File, s.conversion(""))
	}
	return text, password, err
}

// conversion returns the command that converts the store to PKCS#12, with the same password,
// and where to name the result. The user replaces words in capitals.
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

// authorities returns the certificates that keytool marks as trusted, or those of the chain
// of a key.
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
		if s.PasswordFile == "" {
			return fmt.Errorf("store %s: it needs a password; name the file that has it", s.File)
		}
		return fmt.Errorf("store %s: wrong password in %s", s.File, s.PasswordFile)
	}
	return fmt.Errorf("store %s: %w", s.File, err)
}
