package tests

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The upload for Cloud Functions contains exactly the files that the function is built from,
// whatever else is in the clone.
func TestUpload_files(t *testing.T) {
	got := includedFiles(t, ignoreFile(t, ".gcloudignore"))
	want := append(ownSources(t, "."), "LICENSE", "go.mod", "go.sum")
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	size := 0
	for _, name := range got {
		size += len(read(t, filepath.Join(top, name)))
	}
	if size > 1<<20 {
		t.Errorf("the upload has %d bytes, want at most 1 MiB", size)
	}
}

// gcloud interprets the ignore files as we do.
func TestUpload_sameAsGcloud(t *testing.T) {
	gcloud, err := exec.LookPath("gcloud")
	if err != nil {
		t.Skip("gcloud is not installed")
	}
	for _, name := range []string{".gcloudignore", ".cloudbuildignore"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			copyFiles(t, includedFiles(t, ignoreFile(t, ".cloudbuildignore")), dir)
			copyFiles(t, []string{"LICENSE"}, filepath.Join(dir, "bin")) // must not be uploaded
			for _, ignored := range []string{".gitignore", name} {
				text := read(t, filepath.Join(top, ignored))
				if ignored == name {
					ignored = ".gcloudignore" // the only name that this command supports
				}
				if err := os.WriteFile(filepath.Join(dir, ignored), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			c := exec.CommandContext(t.Context(), gcloud, "meta", "list-files-for-upload", dir)
			c.Env = append(os.Environ(), "CLOUDSDK_CONFIG="+t.TempDir(), "CLOUDSDK_CORE_DISABLE_PROMPTS=1")
			var stderr bytes.Buffer
			c.Stderr = &stderr
			out, err := c.Output()
			if err != nil {
				t.Fatalf("%v\n%s", err, &stderr)
			}
			got := strings.Split(strings.TrimSpace(string(out)), "\n")
			want := includedFiles(t, ignoreFile(t, name))
			slices.Sort(got)
			slices.Sort(want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-ours +gcloud's)\n%s", diff)
			}
		})
	}
}

// ownSources returns the files of the clone that a package is built from: its own and those
// of the packages it imports.
func ownSources(t *testing.T, pkg string) []string {
	t.Helper()
	const each = `{{if and .Module .Module.Main}}{{$dir := .Dir}}{{range .GoFiles}}{{$dir}}/{{.}}{{"\n"}}{{end}}{{range .EmbedFiles}}{{$dir}}/{{.}}{{"\n"}}{{end}}{{end}}`
	root, err := filepath.Abs(top)
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for line := range strings.Lines(runIn(t, top, nil, "go", "list", "-deps", "-f", each, pkg)) {
		name, err := filepath.Rel(root, strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		if name != "." {
			files = append(files, name)
		}
	}
	return files
}

// runIn runs a command in dir, and returns its standard output.
func runIn(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), name, args...)
	c.Dir, c.Env = dir, append(os.Environ(), env...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, &stderr)
	}
	return string(out)
}
