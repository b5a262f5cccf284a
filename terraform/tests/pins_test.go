package tests

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// byTag are the images without a digest, with the reason.
var byTag = map[string]string{
	"us-docker.pkg.dev/cloud-ops-agents-artifacts/google-cloud-opentelemetry-collector/otelcol-google:0.156.1": "its digest is not published",
}

// Every image of others that builds, deploys or runs Aerosink has a version for readers, and
// a digest, so that it cannot become another image. .ci/images knows all of them.
func TestImages_pinnedByDigest(t *testing.T) {
	var images []string
	for _, half := range []string{"connector", "function"} {
		images = append(images, readImage(t, half).bases...)
	}
	for _, step := range readCloudBuild(t).Steps {
		images = append(images, step.Name)
	}
	p := newPlan(t, variables())
	images = append(images,
		p.variable("connector").GetAttr("collector_image").AsString(),
		p.variable("ingest").GetAttr("collector").GetAttr("image").AsString())
	slices.Sort(images)
	images = slices.Compact(images)

	pinned, tags := regexp.MustCompile(`^[a-z0-9./-]+:[A-Za-z0-9._-]+@sha256:[0-9a-f]{64}$`), map[string]bool{}
	for _, image := range images {
		if _, ok := byTag[image]; !ok && !pinned.MatchString(image) {
			t.Errorf("%s has no version or no digest; run .ci/images renew", image)
		}
		tag, _, _ := strings.Cut(image, "@")
		if tags[tag] {
			t.Errorf("%s has two digests", tag)
		}
		tags[tag] = true
	}
	for image, reason := range byTag {
		if !slices.Contains(images, image) {
			t.Errorf("%s (%s) is not used, or has a digest; remove it from byTag", image, reason)
		}
	}
	if diff := cmp.Diff(images, strings.Fields(runIn(t, top, nil, ".ci/images", "list"))); diff != "" {
		t.Errorf(".ci/images list (-want +got)\n%s", diff)
	}
}

// .ci/images with a registry in which one tag was moved, one was not, one image is not
// pinned, and one digest is missing.
func TestImagesScript(t *testing.T) {
	crane := buildCrane(t)
	registry := serveRegistry(t, crane)
	push := func(image, content string) string { return pushImage(t, crane, image, content) }
	golang, docker, tool, collector := registry+"/golang:1.26.8", registry+"/docker:28-cli", registry+"/docker:28", registry+"/a/collector:1.9.2"
	before, unchanged, tooled := push(golang, "before"), push(docker, "docker"), push(tool, "tool")
	after, collected := push(golang, "after"), push(collector, "collector")
	missing := "sha256:" + strings.Repeat("0", 64)

	dir := t.TempDir()
	copyFiles(t, []string{".ci/images", ".ci/go.mod", ".ci/go.sum", "go.mod", "go.sum"}, dir)
	text := func(golang, collector, tool string) map[string]string {
		return map[string]string{
			"connector/Dockerfile":   "FROM " + golang + " AS build\nRUN true\n",
			"function/Dockerfile":    "# " + golang + "\nFROM " + golang + "\n",
			"cloudbuild.yaml":        "steps:\n  - id: a\n    name: " + docker + "@" + unchanged + "\n  - id: b\n    name: " + tool + "\n",
			"terraform/connector.tf": "image = optional(string, \"" + collector + "\")\n",
			"terraform/ingest.tf":    "error_message = \"such as " + docker + "\"\n",
		}
	}
	for name, content := range text(golang+"@"+before, collector+"@"+missing, tool) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	run := func(arguments ...string) (string, error) {
		c := exec.CommandContext(t.Context(), "bash", append([]string{".ci/images"}, arguments...)...)
		c.Dir = dir
		out, err := c.CombinedOutput()
		return string(out), err
	}
	for _, tt := range []struct {
		argument, fails string
		want            []string
	}{
		{argument: "", fails: "the digest of the collector is missing", want: []string{
			collector + ": " + missing + " is not in its registry, the tag names " + collected,
			docker + ": up to date",
			tool + ": not pinned, its digest is " + tooled,
			golang + ": the tag now names " + after,
		}},
		{argument: "renew", want: []string{
			collector + ": now " + collected,
			docker + ": up to date",
			tool + ": now " + tooled,
			golang + ": now " + after,
		}},
		{argument: "", want: []string{collector + ": up to date", docker + ": up to date", tool + ": up to date", golang + ": up to date"}},
	} {
		out, err := run(slices.DeleteFunc([]string{tt.argument}, func(a string) bool { return a == "" })...)
		lines := slices.DeleteFunc(strings.Split(strings.TrimSpace(out), "\n"), func(line string) bool { return !strings.HasPrefix(line, registry) })
		slices.Sort(lines)
		slices.Sort(tt.want)
		if diff := cmp.Diff(tt.want, lines); diff != "" || (err != nil) != (tt.fails != "") {
			t.Fatalf(".ci/images %s: %v, want an error if %q\n%s\n%s", tt.argument, err, tt.fails, diff, out)
		}
	}
	for name, want := range text(golang+"@"+after, collector+"@"+collected, tool+"@"+tooled) {
		if diff := cmp.Diff(want, read(t, filepath.Join(dir, name))); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
	if out, err := run("renew-all"); err == nil || !strings.Contains(out, "usage:") {
		t.Errorf("unknown argument: %v, %s", err, out)
	}
}

// buildCrane builds the client of registries that .ci/images uses, and returns its path.
func buildCrane(t *testing.T) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), "go", "tool", "-modfile=.ci/go.mod", "-n", "crane")
	c.Dir = top
	out, err := c.Output()
	if err != nil {
		t.Skipf("crane cannot be built here: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// serveRegistry starts an empty registry, and returns its address.
func serveRegistry(t *testing.T, crane string) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), crane, "registry", "serve", "--address=127.0.0.1:0")
	stderr, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		if _, port, ok := strings.Cut(lines.Text(), "serving on port "); ok {
			go func() { _, _ = io.Copy(io.Discard, stderr) }()
			return "127.0.0.1:" + port
		}
	}
	t.Fatalf("the registry did not start: %v", lines.Err())
	return ""
}
