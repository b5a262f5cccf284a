package tests

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// image is a parsed Dockerfile with two stages: one builds the binary, the other runs it.
type image struct {
	path              string
	copied, commands  []string
	buildEnv          []string
	bases             []string // of its stages
	user              string
	ports, entrypoint []string
	labels            string
}

// readImage parses the Dockerfile of the connector or the function. An unknown instruction
// is an error, because the test would then differ from the image.
func readImage(t *testing.T, half string) image {
	t.Helper()
	m := image{path: filepath.Join(half, "Dockerfile")}
	text := strings.ReplaceAll(read(t, filepath.Join(top, m.path)), "\\\n", " ")
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		instruction, rest, _ := strings.Cut(line, " ")
		switch arguments := strings.Fields(rest); instruction {
		case "FROM":
			m.bases = append(m.bases, arguments[0])
		case "COPY":
			if !strings.HasPrefix(rest, "--from=build ") {
				m.copied = append(m.copied, arguments[:len(arguments)-1]...)
			}
		case "RUN":
			m.commands = append(m.commands, rest)
		case "ENV":
			m.buildEnv = append(m.buildEnv, rest)
		case "USER":
			m.user = rest
		case "LABEL":
			m.labels = rest
		case "EXPOSE":
			m.ports = arguments
		case "ENTRYPOINT":
			if err := json.Unmarshal([]byte(rest), &m.entrypoint); err != nil {
				t.Fatalf("%s: ENTRYPOINT %s: %v", m.path, rest, err)
			}
		case "WORKDIR", "ARG":
		default:
			t.Fatalf("%s: unknown instruction %s", m.path, instruction)
		}
	}
	return m
}

// build runs the commands of the build stage on the files of its context, and returns the
// path of the binary.
func (m image) build(t *testing.T, version string) string {
	t.Helper()
	source, out := t.TempDir(), t.TempDir()
	copyFiles(t, m.context(t), source)
	for _, command := range m.commands {
		command = strings.ReplaceAll(command, "/out/", out+"/")
		runIn(t, source, append(m.buildEnv, "VERSION="+version), "sh", "-ec", command)
	}
	return filepath.Join(out, filepath.Base(m.entrypoint[0]))
}

// context returns the files that the build copies: those that COPY names and .dockerignore
// does not exclude.
func (m image) context(t *testing.T) []string {
	t.Helper()
	var patterns []ignorePattern
	for line := range strings.Lines(read(t, filepath.Join(top, m.path+".dockerignore"))) {
		pattern, included := strings.CutPrefix(strings.TrimSpace(line), "!")
		patterns = append(patterns, ignorePattern{path: glob(pattern), included: included})
	}
	var files []string
	for _, name := range includedFiles(t, ignoreFile(t, ".cloudbuildignore")) {
		copied := slices.ContainsFunc(m.copied, func(c string) bool { return name == c || strings.HasPrefix(name, c+"/") })
		if copied && !dockerIgnores(patterns, name) {
			files = append(files, name)
		}
	}
	return files
}

// dockerIgnores reports whether patterns ignore a path. In .dockerignore a pattern also
// matches everything below it, and always starts at the top.
func dockerIgnores(patterns []ignorePattern, path string) bool {
	for _, p := range slices.Backward(patterns) {
		for at := path; at != "."; at = filepath.Dir(at) {
			if p.path.MatchString(at) {
				return !p.included
			}
		}
	}
	return false
}

// run starts the binary with the arguments of the image's entry point and args.
func (m image) run(t *testing.T, binary string, env []string, args ...string) *changetest.Output {
	t.Helper()
	c := exec.CommandContext(t.Context(), binary, append(m.entrypoint[1:], args...)...)
	c.Env = append(os.Environ(), env...)
	output := new(changetest.Output)
	c.Stdout, c.Stderr = output, output
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return output
}

func TestDockerfile_baseAndContext(t *testing.T) {
	for half, want := range map[string]struct {
		pkg   string
		ports []string
	}{
		"connector": {"./connector/cmd/connector", []string{"8901", "8902"}},
		"function":  {"./function/cmd/sink", []string{"8080"}},
	} {
		m := readImage(t, half)
		if base := m.bases[len(m.bases)-1]; !strings.HasPrefix(base, "gcr.io/distroless/static:nonroot@") || m.user != "65532:65532" {
			t.Errorf("%s: base %s, user %s", m.path, base, m.user)
		}
		if diff := cmp.Diff(want.ports, m.ports); diff != "" {
			t.Errorf("%s: ports (-want +got)\n%s", m.path, diff)
		}
		for _, label := range []string{"title", "description", "source", "licenses", "version"} {
			if !strings.Contains(m.labels, "org.opencontainers.image."+label+"=") {
				t.Errorf("%s has no label %s", m.path, label)
			}
		}
		seen := m.context(t)
		for _, name := range ownSources(t, want.pkg) {
			if !slices.Contains(seen, name) {
				t.Errorf("%s: the build needs %s, which is not in its context", m.path, name)
			}
		}
		if slices.ContainsFunc(seen, func(name string) bool { return strings.HasSuffix(name, "_test.go") }) {
			t.Errorf("%s: the context contains tests", m.path)
		}
	}
}

func TestConnectorImage_serves(t *testing.T) {
	m := readImage(t, "connector")
	binary := m.build(t, "v1.2.3")
	if got := runIn(t, top, nil, binary, "version"); !strings.HasPrefix(got, "connector v1.2.3 (go1.") {
		t.Errorf("version: %q", got)
	}
	path := filepath.Join(t.TempDir(), "connector.yml")
	config := "service: {port: 0, address: 127.0.0.1, manage: {port: 0, address: 127.0.0.1}}\n" +
		"destinations: {function: {urls: [http://127.0.0.1:1]}}\nrouting: {mode: static, destination: function}\nformat: {mode: xdr}\n"
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	manage := m.run(t, binary, nil, "-config", path).Find(t, `"manage":\["([^"]+)"`)
	resp, err := http.Get("http://" + manage + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("/healthz: status %d", resp.StatusCode)
	}
}

func TestSinkImage_storesChange(t *testing.T) {
	m := readImage(t, "function")
	binary := m.build(t, "v1.2.3")
	if got := runIn(t, top, nil, binary, "version"); !strings.HasPrefix(got, "sink v1.2.3 (go1.") {
		t.Errorf("version: %q", got)
	}
	cloud := sinktest.New(t)
	output := m.run(t, binary, []string{"PORT=0", "SINKS=" + sinktest.PubSubSink})
	url := "http://127.0.0.1:" + output.Find(t, `sink started.*address\W+(?:\[::\])?:(\d+)`)
	for _, request := range []struct{ method, path, body string }{
		{http.MethodGet, "/healthz", ""},
		{http.MethodPost, "/", `{"msg":"delete","key":["n",null,"4cggTFyCxaDjqb2pso88/imO2Sg=",null]}`},
	} {
		r, err := http.NewRequestWithContext(t.Context(), request.method, url+request.path, strings.NewReader(request.body))
		if err != nil {
			t.Fatal(err)
		}
		if request.method == http.MethodPost {
			r.Header.Set("Content-Type", "application/json")
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s %s: status %d\n%s", request.method, request.path, resp.StatusCode, output)
		}
	}
	if n := len(cloud.Messages()); n != 1 {
		t.Errorf("%d messages in Pub/Sub, want 1", n)
	}
}
