package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"
)

// Folder returns a folder with the files that the reference names. All certificates are
// the same self-signed one.
func Folder(t testing.TB) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "aerosink"}, DNSNames: []string{"localhost"},
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	certificate, err := x509.ParseCertificate(der)
	must(t, err)
	ended, future := *template, *template
	ended.NotAfter = time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	future.NotBefore, future.NotAfter = ended.NotAfter.AddDate(200, 0, 0), ended.NotAfter.AddDate(300, 0, 0)
	keys, err := pkcs12.Modern.Encode(key, certificate, nil, "secret")
	must(t, err)
	trust, err := pkcs12.Modern.EncodeTrustStore([]*x509.Certificate{certificate}, "secret")
	must(t, err)

	folder := t.TempDir()
	must(t, os.Mkdir(filepath.Join(folder, "secrets"), 0o700))
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	for name, content := range map[string][]byte{
		"server.crt": certPEM, "client.crt": certPEM, "ca.crt": certPEM, "server.key": keyPEM, "client.key": keyPEM,
		"server.p12": keys, "client.p12": keys, "trust.p12": trust, "password": []byte("secret\n"), "token": []byte("secret\n"),
	} {
		must(t, os.WriteFile(filepath.Join(folder, "secrets", name), content, 0o600))
	}
	must(t, os.WriteFile(filepath.Join(folder, "change.avsc"), []byte(Schema), 0o600))
	for name, c := range map[string]*x509.Certificate{"ended.crt": &ended, "future.crt": &future} {
		der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
		must(t, err)
		WriteCertificate(t, filepath.Join(folder, "secrets", name), &x509.Certificate{Raw: der})
	}
	return folder
}

// Schema is an Avro schema that every kind of metadata fits.
const Schema = `{"type":"map","values":["null","long","string",{"type":"map","values":["null","boolean","long","bytes","string"]}]}`

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// WriteCertificate writes c to path as PEM.
func WriteCertificate(t testing.TB, path string, c *x509.Certificate) {
	t.Helper()
	must(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}), 0o600))
}
