// Package changetest has what the tests of many packages share: the stories in testdata, a
// readable description of a change, and arbitrary changes for property tests.
//
// A story is a txtar file that follows one change through the packages. Each section is the
// output of one package and the input of the next. The test of a package reads the section
// that is its input and checks the section that is its output, so the packages cannot drift
// apart. With UPDATE_STORIES=1 in the environment, tests write their output instead of
// checking it. An input may be the output of another package, so repeat that until nothing
// changes.
package changetest

import (
	"encoding/hex"
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

// update makes tests rewrite the outputs in testdata/*.txtar.
var update = os.Getenv("UPDATE_STORIES") != ""

// Receipt is when the frames of all stories arrive.
var Receipt = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// Story is a file of testdata.
type Story struct {
	Name    string // the name of the file without .txtar
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

// Hex returns the bytes of the section name, which holds hexadecimal digits, white space,
// and comments from # to the end of the line.
func (s *Story) Hex(t testing.TB, name string) []byte {
	t.Helper()
	digits := regexp.MustCompile(`(?m)#.*$|\s`).ReplaceAll(s.Section(t, name), nil)
	b, err := hex.DecodeString(string(digits))
	if err != nil {
		t.Fatalf("%s: section %s: %v", s.path, name, err)
	}
	return b
}

// Check compares got with the section name, or replaces the section with it, see
// UPDATE_STORIES in the package comment.
func (s *Story) Check(t testing.TB, name string, got []byte) {
	t.Helper()
	if update {
		s.rewrite(t, name, got)
		return
	}
	if diff := cmp.Diff(string(s.Section(t, name)), string(got)); diff != "" {
		t.Errorf("%s, section %s (-want +got):\n%s", s.path, name, diff)
	}
}

// rewrite replaces a section in the file. It locks the file, since tests of other packages
// may rewrite other sections of it at the same time.
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
