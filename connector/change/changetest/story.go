// Package changetest has what the tests of every room share: the stories of
// testdata, a description of a change that a person can read, and arbitrary
// changes for properties.
//
// A story is one txtar file that follows one change through the house. Each
// section is what one room gives and the next takes; the test of a room reads the
// section before its door and checks the one after, so that neighbours cannot
// drift apart. The flag -update rewrites what the rooms give. A room may stand on
// what another has just rewritten, so run the update until nothing changes.
package changetest

import (
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/lockedfile"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "rewrite the outputs in testdata/*.txtar")

// Receipt is the moment at which every story's frame arrives.
var Receipt = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// Story is one file of testdata.
type Story struct {
	Name    string // of the file, without .txtar
	path    string
	archive *txtar.Archive
}

// Testdata returns the path of the file or folder elem in the module's testdata.
func Testdata(t testing.TB, elem ...string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(append([]string{dir, "testdata"}, elem...)...)
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = parent
	}
}

// EachStory runs test on every story that has all the sections needed.
func EachStory(t *testing.T, test func(t *testing.T, s *Story), needed ...string) {
	t.Helper()
	paths, err := filepath.Glob(Testdata(t, "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s := &Story{Name: strings.TrimSuffix(filepath.Base(path), ".txtar"), path: path, archive: archive}
		if !s.hasAll(needed) {
			continue
		}
		ran++
		t.Run(s.Name, func(t *testing.T) { test(t, s) })
	}
	if ran == 0 {
		t.Fatalf("no story in testdata has the sections %q", needed)
	}
}

func (s *Story) hasAll(sections []string) bool {
	for _, name := range sections {
		if !s.Has(name) {
			return false
		}
	}
	return true
}

// Has reports whether the story has the section name.
func (s *Story) Has(name string) bool { return section(s.archive, name) != nil }

// Section returns the text of the section name.
func (s *Story) Section(t testing.TB, name string) []byte {
	t.Helper()
	f := section(s.archive, name)
	if f == nil {
		t.Fatalf("%s has no section %s", s.path, name)
	}
	return f.Data
}

// Hex returns the bytes of the section name, which holds hexadecimal digits,
// spaces and remarks from # to the end of the line.
func (s *Story) Hex(t testing.TB, name string) []byte {
	t.Helper()
	digits := regexp.MustCompile(`(?m)#.*$|\s`).ReplaceAll(s.Section(t, name), nil)
	b, err := hex.DecodeString(string(digits))
	if err != nil {
		t.Fatalf("%s: section %s: %v", s.path, name, err)
	}
	return b
}

// Check compares got with the section name, and with -update makes it the
// section.
func (s *Story) Check(t testing.TB, name string, got []byte) {
	t.Helper()
	if *update {
		s.rewrite(t, name, got)
		return
	}
	if diff := cmp.Diff(string(s.Section(t, name)), string(got)); diff != "" {
		t.Errorf("%s, section %s (-want +got):\n%s", s.path, name, diff)
	}
}

// rewrite changes the one section in the file, under a lock: the tests of other
// packages rewrite theirs at the same time.
func (s *Story) rewrite(t testing.TB, name string, data []byte) {
	t.Helper()
	err := lockedfile.Transform(s.path, func(old []byte) ([]byte, error) {
		archive := txtar.Parse(old)
		if f := section(archive, name); f != nil {
			f.Data = data
		}
		return txtar.Format(archive), nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func section(a *txtar.Archive, name string) *txtar.File {
	for i := range a.Files {
		if a.Files[i].Name == name {
			return &a.Files[i]
		}
	}
	return nil
}
