package tests

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// moduleRef matches what a source of our module refers to.
var moduleRef = regexp.MustCompile(`aerosink\.git//[^"?\s]*\?ref=([^"'\s]+)`)

// Documents and examples refer to the last release, and to a commit while there is none:
// what a reader copies must exist.
func TestDocuments_refs(t *testing.T) {
	want := "COMMIT"
	if m := regexp.MustCompile(`(?m)^## (v[0-9.]+),`).FindStringSubmatch(read(t, filepath.Join(top, ".github/CHANGELOG.md"))); m != nil {
		want = m[1]
	}
	examples, err := filepath.Glob("examples/*/*.tf")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, path := range append(documents(t), examples...) {
		for _, m := range moduleRef.FindAllStringSubmatch(read(t, path), -1) {
			if found++; m[1] != want {
				t.Errorf("%s refers to %s, want %s", path, m[1], want)
			}
		}
	}
	if found < 5 {
		t.Errorf("found %d references to the module, want one in each example", found)
	}
}

// releaseClone is a repository with what .ci/release changes.
type releaseClone struct {
	t   *testing.T
	dir string
}

func newReleaseClone(t *testing.T) releaseClone {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	c := releaseClone{t, t.TempDir()}
	copyFiles(t, []string{".ci/release"}, c.dir)
	c.write(".github/CHANGELOG.md", "# Changelog\n\nNewest first. There is no release yet.\n\n## Unreleased\n\n- One.\n")
	c.write("README.md", "`git::https://x/aerosink.git//terraform?ref=COMMIT`, twice: ?ref=COMMIT; another: ?ref=main\n")
	c.write("terraform/examples/a/main.tf", "  source = \"../..\" # ?ref=v0.9.10\n")
	c.git("init", "-q", "--initial-branch=main")
	c.git("add", "-A")
	c.git("commit", "-qm", "one")
	return c
}

func (c releaseClone) write(name, text string) {
	c.t.Helper()
	path := filepath.Join(c.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// environment makes git independent of this machine's configuration.
func (c releaseClone) environment() []string {
	return append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_CEILING_DIRECTORIES="+filepath.Dir(c.dir),
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
}

func (c releaseClone) git(arguments ...string) string {
	c.t.Helper()
	return runIn(c.t, c.dir, c.environment(), "git", arguments...)
}

func (c releaseClone) release(version string) (string, error) {
	command := exec.CommandContext(c.t.Context(), "bash", ".ci/release", version)
	command.Dir, command.Env = c.dir, c.environment()
	out, err := command.CombinedOutput()
	return string(out), err
}

func TestReleaseScript(t *testing.T) {
	c := newReleaseClone(t)
	for _, version := range []string{"v0.9.9", "v0.10.0"} {
		out, err := c.release(version)
		if err != nil || out != "git push origin main "+version+"\n" {
			t.Fatalf("%s: %v\n%s", version, err, out)
		}
		if version == "v0.9.9" {
			c.write(".github/CHANGELOG.md", strings.Replace(read(t, filepath.Join(c.dir, ".github/CHANGELOG.md")), "## Unreleased\n", "## Unreleased\n\n- Two.\n", 1))
			c.git("commit", "-qam", "two")
		}
	}
	date := regexp.MustCompile(`, 20\d\d-\d\d-\d\d\n`)
	changelog := date.ReplaceAllString(read(t, filepath.Join(c.dir, ".github/CHANGELOG.md")), ", DATE\n")
	want := "# Changelog\n\nNewest first.\n\n## Unreleased\n\n## v0.10.0, DATE\n\n- Two.\n\n## v0.9.9, DATE\n\n- One.\n"
	if diff := cmp.Diff(want, changelog); diff != "" {
		t.Errorf("changelog (-want +got)\n%s", diff)
	}
	for name, want := range map[string]string{
		"README.md":                    "`git::https://x/aerosink.git//terraform?ref=v0.10.0`, twice: ?ref=v0.10.0; another: ?ref=main\n",
		"terraform/examples/a/main.tf": "  source = \"../..\" # ?ref=v0.10.0\n",
	} {
		if diff := cmp.Diff(want, read(t, filepath.Join(c.dir, name))); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
	if got := c.git("status", "--porcelain") + c.git("describe"); got != "v0.10.0\n" {
		t.Errorf("after the release: %q, want a clean tree at the tag", got)
	}
}

func TestReleaseScript_refuses(t *testing.T) {
	for name, tt := range map[string]struct {
		prepare       func(releaseClone)
		version, want string
	}{
		"no version":    {nil, "", "usage: .ci/release"},
		"not a version": {nil, "1.0.0", "usage: .ci/release"},
		"new path":      {nil, "v2.0.0", "from v2 on Go needs the version in the module's path"},
		"other branch":  {func(c releaseClone) { c.git("switch", "-qc", "other") }, "v1.0.0", "not the branch main"},
		"uncommitted":   {func(c releaseClone) { c.write("README.md", "") }, "v1.0.0", "not committed"},
		"the same":      {func(c releaseClone) { c.git("tag", "v1.0.0") }, "v1.0.0", "the last release is v1.0.0"},
		"older":         {func(c releaseClone) { c.git("tag", "v0.10.0") }, "v0.9.0", "the last release is v0.10.0"},
		"no notes": {func(c releaseClone) {
			c.write(".github/CHANGELOG.md", "## Unreleased\n\n## v0.1.0, 2026-01-01\n\n- One.\n")
			c.git("commit", "-qam", "b")
		}, "v1.0.0", "nothing under Unreleased"},
	} {
		c := newReleaseClone(t)
		if tt.prepare != nil {
			tt.prepare(c)
		}
		before := c.git("rev-parse", "HEAD") + c.git("tag")
		out, err := c.release(tt.version)
		if err == nil || !strings.Contains(out, tt.want) || c.git("rev-parse", "HEAD")+c.git("tag") != before {
			t.Errorf("%s: %v, %s, want %q and no change", name, err, out, tt.want)
		}
	}
}

// Nothing in an example but the source of our module refers to files outside its folder, so
// that it works elsewhere with another source.
func leavesExample(m module) (found []string) {
	if !m.isExample() {
		return nil
	}
	for _, f := range m.files {
		outside := slices.ContainsFunc(f.strings(), func(text string) bool { return strings.Contains(text, "../") && text != "../.." })
		if !isTest(f.name) && outside {
			found = append(found, f.name+" refers to files outside its folder")
		}
	}
	return found
}
