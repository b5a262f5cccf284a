package tlsfile_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/tlsfile"
)

// Refresh reads the files again once one of them has changed, in whatever way, and tries
// again as long as that fails. What is in use stays until then.
func TestFiles_Refresh(t *testing.T) {
	folder := t.TempDir()
	ours, soon := changetest.NewAuthority(t), time.Now().Add(time.Hour)
	// As Kubernetes mounts a secret: the files are links through a link to a folder.
	issue := func(version string) {
		t.Helper()
		inner := filepath.Join(folder, version)
		if err := os.Mkdir(inner, 0o700); err != nil {
			t.Fatal(err)
		}
		ours.Write(t, inner, "server", version, soon)
		next := filepath.Join(folder, "next")
		if err := os.Symlink(inner, next); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, filepath.Join(folder, "data")); err != nil {
			t.Fatal(err)
		}
	}
	issue("first")
	cert, key := filepath.Join(folder, "server.crt"), filepath.Join(folder, "server.key")
	for _, link := range []string{cert, key} {
		if err := os.Symlink(filepath.Join("data", filepath.Base(link)), link); err != nil {
			t.Fatal(err)
		}
	}
	ca := ours.WriteCA(t, filepath.Join(folder, "ca.crt"))
	files := open(t, tlsfile.Source{CertFile: cert, KeyFile: key, CAFile: ca})
	var saved []byte
	for _, step := range []struct {
		name     string
		change   func()
		reloaded bool
		fails    bool
		leaf     string
	}{
		{"nothing", func() {}, false, false, "first"},
		{"the link points elsewhere", func() { issue("second") }, true, false, "second"},
		{"nothing since", func() {}, false, false, "second"},
		{"written in place", func() { ours.Write(t, filepath.Join(folder, "second"), "server", "third", soon) }, true, false, "third"},
		{"another authority", func() {
			ours.WriteCA(t, filepath.Join(folder, "ca.new"))
			rename(t, filepath.Join(folder, "ca.new"), ca)
		}, true, false, "third"},
		{"the key is missing", func() { saved = read(t, key); remove(t, filepath.Join(folder, "second", "server.key")) }, false, true, "third"},
		{"it still is", func() {}, false, true, "third"},
		{"the key is back", func() { write(t, filepath.Join(folder, "second", "server.key"), saved) }, true, false, "third"},
		{"half a key", func() { write(t, key, saved[:len(saved)/2]) }, false, true, "third"},
		{"all of a pair", func() { issue("fourth") }, true, false, "fourth"},
	} {
		before := files.Loaded()
		step.change()
		reloaded, err := files.Refresh()
		if reloaded != step.reloaded || (err != nil) != step.fails {
			t.Errorf("%s: reloaded %t, error %v", step.name, reloaded, err)
		}
		if got := files.Leaf().Subject.CommonName; got != step.leaf {
			t.Errorf("%s: the certificate is of %s, want %s", step.name, got, step.leaf)
		}
		if files.Loaded().After(before) != step.reloaded {
			t.Errorf("%s: loaded at %s, before at %s", step.name, files.Loaded(), before)
		}
	}
}

// A new password of a store is a change too.
func TestFiles_RefreshOfStore(t *testing.T) {
	key, trust := stores(t, t.TempDir())
	files := open(t, tlsfile.Source{KeyStore: key, TrustStore: trust})
	if reloaded, err := files.Refresh(); reloaded || err != nil {
		t.Errorf("nothing changed: %t, %v", reloaded, err)
	}
	write(t, key.PasswordFile, []byte("wrong password\n"))
	if reloaded, err := files.Refresh(); reloaded || err == nil {
		t.Errorf("wrong password: %t, %v", reloaded, err)
	}
	write(t, key.PasswordFile, []byte("secret"))
	if reloaded, err := files.Refresh(); !reloaded || err != nil {
		t.Errorf("right password: %t, %v", reloaded, err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}
