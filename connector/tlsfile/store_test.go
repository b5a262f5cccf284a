package tlsfile_test

import (
	"crypto/x509"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/tlsfile"
)

// stores writes a key store for db.example, a trust store with its authority, and the file
// with their password.
func stores(t *testing.T, folder string) (key, trust tlsfile.Store) {
	ours := changetest.NewAuthority(t)
	cert, private := ours.Issue(t, "db.example", time.Now().Add(time.Hour))
	keys, err := pkcs12.Modern.Encode(private, cert, []*x509.Certificate{ours.Certificate}, "secret")
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := pkcs12.Modern.EncodeTrustStore([]*x509.Certificate{ours.Certificate}, "secret")
	if err != nil {
		t.Fatal(err)
	}
	password := filepath.Join(folder, "password")
	key = tlsfile.Store{File: filepath.Join(folder, "key.p12"), PasswordFile: password}
	trust = tlsfile.Store{File: filepath.Join(folder, "trust.p12"), PasswordFile: password}
	write(t, password, []byte("secret\n"))
	write(t, key.File, keys)
	write(t, trust.File, trusted)
	return key, trust
}

func TestOpen_stores(t *testing.T) {
	key, trust := stores(t, t.TempDir())
	key.KeyPasswordFile = key.PasswordFile
	for name, authorities := range map[string]tlsfile.Store{"a trust store": trust, "the key store itself": key} {
		mutual := tlsfile.Source{KeyStore: key, TrustStore: authorities}
		if _, err := talk(t, open(t, mutual).Client(nil), server(t, mutual), "db.example"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOpen_storeErrors(t *testing.T) {
	folder := t.TempDir()
	key, trust := stores(t, folder)
	wrong := filepath.Join(folder, "wrong")
	write(t, wrong, []byte("wrong"))
	java := func(name, magic string) tlsfile.Store {
		path := filepath.Join(folder, name)
		write(t, path, []byte(magic+"\x00\x00\x00\x02"))
		return tlsfile.Store{File: path, PasswordFile: "pw"}
	}
	for _, tt := range []struct {
		name   string
		source tlsfile.Source
		want   string
	}{
		{"wrong password of the key store", tlsfile.Source{KeyStore: tlsfile.Store{File: key.File, PasswordFile: wrong}}, "wrong password in"},
		{"wrong password of the trust store", tlsfile.Source{TrustStore: tlsfile.Store{File: trust.File, PasswordFile: wrong}}, "wrong password in"},
		{"no password file", tlsfile.Source{KeyStore: tlsfile.Store{File: key.File, PasswordFile: "/nonexistent/p"}}, "/nonexistent/p: no such file"},
		{"different password of the key", tlsfile.Source{KeyStore: tlsfile.Store{File: key.File, PasswordFile: key.PasswordFile, KeyPasswordFile: wrong}}, "different passwords; give them the same with: keytool"},
		{"trust store as key store", tlsfile.Source{KeyStore: trust}, "store " + trust.File},
		{"not a store", tlsfile.Source{KeyStore: tlsfile.Store{File: wrong}}, "store " + wrong},
		{"JKS", tlsfile.Source{KeyStore: java("a.jks", "\xfe\xed\xfe\xed")}, "-srcstoretype JKS"},
		{"JCEKS", tlsfile.Source{TrustStore: java("a.jceks", "\xce\xce\xce\xce")}, "-srcstoretype JCEKS"},
	} {
		_, err := tlsfile.Open(tt.source)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one that says %q", tt.name, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error shows the password: %v", tt.name, err)
		}
	}
}

// The command in the error about a JKS store creates a store that can be opened.
func TestOpen_conversionCommand(t *testing.T) {
	keytool, err := exec.LookPath("keytool")
	if err != nil {
		t.Skip("keytool is not installed")
	}
	folder := t.TempDir()
	password, path := filepath.Join(folder, "password"), filepath.Join(folder, "key.jks")
	write(t, password, []byte("secret\n"))
	out, err := exec.Command(keytool, "-genkeypair", "-keystore", path, "-storetype", "JKS", "-storepass", "secret", "-keypass", "secret",
		"-alias", "a", "-dname", "CN=db.example", "-keyalg", "EC").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	_, err = tlsfile.Open(tlsfile.Source{KeyStore: tlsfile.Store{File: path, PasswordFile: password}})
	if err == nil {
		t.Fatal("a JKS store opened")
	}
	_, command, found := strings.Cut(err.Error(), "convert it with: ")
	if !found {
		t.Fatal(err)
	}
	command, rest, _ := strings.Cut(command, "; ")
	if want := "and name " + path + ".p12 in store-file"; rest != want {
		t.Errorf("the error ends with %q, want %q", rest, want)
	}
	fields := strings.Fields(command)
	if out, err := exec.Command(fields[0], fields[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	open(t, tlsfile.Source{KeyStore: tlsfile.Store{File: path + ".p12", PasswordFile: password}})
}
