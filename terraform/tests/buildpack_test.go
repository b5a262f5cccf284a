package tests

import (
	"fmt"
	"go/parser"
	"go/token"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// framework is the module path of the Functions Framework.
const framework = "github.com/GoogleCloudPlatform/functions-framework-go/"

// buildpackMain is the main package that Google's functions buildpack writes for a function
// that registers itself. The verb %q stands for the module path.
const buildpackMain = `package main

import (
	"log"
	"os"

	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"

	_ %q
)

func main() {
	if err := funcframework.Start(os.Getenv("PORT")); err != nil {
		log.Fatal(err)
	}
}
`

// The files that "gcloud functions deploy --source=." uploads build with the steps of
// Google's buildpack, and the resulting function stores a change.
func TestFunction_buildFromUpload(t *testing.T) {
	source := filepath.Join(t.TempDir(), "serverless_function_source_code")
	copyFiles(t, includedFiles(t, ignoreFile(t, ".gcloudignore")), source)
	binary := buildFunction(t, source)

	cloud := sinktest.New(t)
	url, output := startFunction(t, binary, "SINKS="+sinktest.PubSubSink)
	resp, err := http.Post(url, "application/json", strings.NewReader(`{"msg":"delete","key":["n",null,"4cggTFyCxaDjqb2pso88/imO2Sg=",null]}`))
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK || len(cloud.Messages()) != 1 {
		t.Errorf("status %d, %d messages in Pub/Sub; want 200 and 1\n%s", resp.StatusCode, len(cloud.Messages()), output)
	}
}

// buildFunction runs the steps of the buildpack on uploaded sources, and returns the path of
// the binary.
func buildFunction(t *testing.T, source string) string {
	t.Helper()
	imports, err := onlyPackage(source)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(imports, framework+"functions") {
		t.Fatal("the package at the top does not import the framework's package functions; the buildpack would look for an exported Receive")
	}
	module := strings.TrimSpace(runIn(t, source, nil, "go", "list", "-m"))
	if domain, _, _ := strings.Cut(module, "/"); !strings.Contains(domain, ".") {
		t.Fatalf("the buildpack does not accept module path %s: the first element has no dot", module)
	}
	app := filepath.Join(source, "functions.local/app")
	if err := os.MkdirAll(app, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(app, "main.go"), fmt.Appendf(nil, buildpackMain, module), 0o600); err != nil {
		t.Fatal(err)
	}
	runIn(t, source, nil, "go", "mod", "tidy")
	if n := strings.Count(runIn(t, source, nil, "go", "list", "-m", "all"), "\n"); n > 200 {
		t.Errorf("the function has %d modules", n)
	}
	binary := filepath.Join(t.TempDir(), "main")
	runIn(t, source, nil, "go", "build", "-o", binary, "./functions.local/app")
	return binary
}

// onlyPackage returns the imports of the only package in dir. Like the buildpack it parses
// every .go file, including tests and files excluded by build constraints.
func onlyPackage(dir string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	packages, imports := map[string]bool{}, []string{}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return nil, err
		}
		packages[parsed.Name.Name] = true
		for _, i := range parsed.Imports {
			path, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return nil, err
			}
			imports = append(imports, path)
		}
	}
	names := slices.Sorted(maps.Keys(packages))
	if len(names) != 1 || names[0] == "main" {
		return nil, fmt.Errorf("the buildpack needs exactly one importable package at the top, found %q", names)
	}
	return imports, nil
}

// startFunction runs a function as the platform does, and returns its URL once it answers.
func startFunction(t *testing.T, binary string, env ...string) (url string, output *changetest.Output) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") // the framework cannot choose a free port itself
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), binary)
	output = new(changetest.Output)
	c.Stdout, c.Stderr = output, output
	c.Env = append(append(os.Environ(), "FUNCTION_TARGET=Receive", "PORT="+port), env...)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	url = "http://127.0.0.1:" + port
	changetest.WaitFor(t, "an answer of the function", func() bool {
		resp, err := http.Get(url)
		if err == nil {
			_ = resp.Body.Close()
		}
		return err == nil
	})
	return url, output
}

// Google's builder has one release of Go 1.26. If go.mod required a newer one, it would have
// to download it.
func TestGoMod_noToolchain(t *testing.T) {
	text := read(t, filepath.Join(top, "go.mod"))
	if !strings.Contains(text, "\ngo 1.26.0\n") || strings.Contains(text, "\ntoolchain ") {
		t.Error("go.mod has a go line other than 1.26.0, or a toolchain line")
	}
}

func TestOnlyPackage(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string
		err   string
	}{
		"one":          {map[string]string{"a.go": "package a", "b.go": "package a"}, ""},
		"none":         {map[string]string{"a.txt": ""}, "[]"},
		"test":         {map[string]string{"a.go": "package a", "a_test.go": "package a_test"}, `["a" "a_test"]`},
		"never built":  {map[string]string{"a.go": "package a", "gen.go": "//go:build ignore\n\npackage main"}, `["a" "main"]`},
		"only main":    {map[string]string{"a.go": "package main"}, `["main"]`},
		"not Go":       {map[string]string{"a.go": "#!/bin/sh"}, "illegal character"},
		"in subfolder": {map[string]string{"a.go": "package a", "b/b.go": "package b"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for path, text := range test.files {
				path = filepath.Join(dir, path)
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := onlyPackage(dir); (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("error %v, want %q", err, test.err)
			}
		})
	}
}
