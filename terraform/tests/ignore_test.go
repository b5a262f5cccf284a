package tests

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// top is the top folder of the clone.
const top = ".."

// ignorePattern is a line of .gitignore, .gcloudignore or .dockerignore.
type ignorePattern struct {
	path     *regexp.Regexp
	dirOnly  bool
	included bool // the pattern begins with "!": it undoes earlier patterns
}

// ignoreFile reads the patterns of a file at the top as git and gcloud do.
func ignoreFile(t *testing.T, name string) []ignorePattern {
	t.Helper()
	var patterns []ignorePattern
	for line := range strings.Lines(read(t, filepath.Join(top, name))) {
		line = strings.TrimSpace(line)
		if included, ok := strings.CutPrefix(line, "#!include:"); ok {
			patterns = append(patterns, ignoreFile(t, included)...)
		} else if line != "" && line[0] != '#' {
			patterns = append(patterns, gitPattern(line))
		}
	}
	return patterns
}

// gitPattern parses a line of .gitignore. A pattern without a slash matches a name in any
// folder.
func gitPattern(line string) ignorePattern {
	var p ignorePattern
	line, p.included = strings.CutPrefix(line, "!")
	line, p.dirOnly = strings.CutSuffix(line, "/")
	if !strings.Contains(line, "/") {
		line = "**/" + line
	}
	p.path = glob(strings.TrimPrefix(line, "/"))
	return p
}

// glob returns an expression that matches the paths that a pattern with *, ** and ? does.
func glob(pattern string) *regexp.Regexp {
	parts := strings.NewReplacer(`\*\*/`, `(.*/)?`, `\*\*`, `.*`, `\*`, `[^/]*`, `\?`, `[^/]`)
	return regexp.MustCompile("^" + parts.Replace(regexp.QuoteMeta(pattern)) + "$")
}

// ignores reports whether the last pattern that matches path ignores it.
func ignores(patterns []ignorePattern, path string, dir bool) bool {
	for _, p := range slices.Backward(patterns) {
		if (dir || !p.dirOnly) && p.path.MatchString(path) {
			return !p.included
		}
	}
	return false
}

// includedFiles returns the files below the top that patterns do not ignore. Like git and
// gcloud it does not descend into ignored folders.
func includedFiles(t *testing.T, patterns []ignorePattern) []string {
	t.Helper()
	var files []string
	err := fs.WalkDir(os.DirFS(top), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || path == ".":
			return err
		case !ignores(patterns, path, d.IsDir()):
			if !d.IsDir() {
				files = append(files, path)
			}
		case d.IsDir():
			return fs.SkipDir
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// copyFiles copies files of the clone into the folder to, with the same paths.
func copyFiles(t *testing.T, files []string, to string) {
	t.Helper()
	for _, name := range files {
		path := filepath.Join(to, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(read(t, filepath.Join(top, name))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestIgnores(t *testing.T) {
	patterns := []ignorePattern{gitPattern("/*"), gitPattern("!/a/"), gitPattern("*_test.go"), gitPattern("x/y"), gitPattern("d/"), gitPattern("!/a/**/k?")}
	got := map[string]bool{}
	for _, path := range []string{"a", "b", "a/b", "a/b/c_test.go", "a/x/y", "x/y", "a/d", "a/b/k1", "a/k2", "a/k"} {
		got[path] = ignores(patterns, path, path == "a")
	}
	want := map[string]bool{
		"a": false, "b": true, "a/b": false, "a/b/c_test.go": true, "a/x/y": false, "x/y": true,
		"a/d":    false, // a file, not a folder
		"a/b/k1": false, "a/k2": false, "a/k": false,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if !ignores(patterns, "a/d", true) {
		t.Error("the folder a/d is not ignored")
	}
}
