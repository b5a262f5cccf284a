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

// framework is what a function registers with, and what serves it.
const framework = "github.com/GoogleCloudPlatform/functions-framework-go/"

// buildpackMain is a main like the one that Google's functions buildpack writes
// for a function that registers itself. The verb stands for the module.
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

// "gcloud functions deploy --source=." on this clone, without Google: its files go
// through the steps of the buildpack, and the function that comes out stores a
// change.
func TestFunctionsBuild(t *testing.T) {
	source := filepath.Join(t.TempDir(), "serverless_function_source_code")
	copyFiles(t, taken(t, ignoreFile(t, ".gcloudignore")), source)
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

// buildFunction does what the buildpack does with the files of an upload, in its
// order, and returns the path of the binary.
func buildFunction(t *testing.T, source string) string {
	t.Helper()
	imports, err := onlyPackage(source)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(imports, framework+"functions") {
		t.Fatal("the package at the top does not import the framework's functions: the buildpack would look for a Receive that it exports")
	}
	module := strings.TrimSpace(runIn(t, source, nil, "go", "list", "-m"))
	if domain, _, _ := strings.Cut(module, "/"); !strings.Contains(domain, ".") {
		t.Fatalf("the buildpack takes no module whose path begins without a dot: %s", module)
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

// onlyPackage returns what the one package in a folder imports. As the buildpack it
// parses every file with Go's ending, tests and those that are never built too.
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
		return nil, fmt.Errorf("the buildpack wants one package at the top that can be imported, and finds %q", names)
	}
	return imports, nil
}

// startFunction runs a function as the platform does, and returns its address once
// it answers.
func startFunction(t *testing.T, binary string, env ...string) (url string, output *changetest.Output) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") // the framework can choose no port and say which
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

// Google's builder has one release of Go 1.26, and would have to fetch whatever newer
// one go.mod asks for.
func TestNoToolchain(t *testing.T) {
	text := read(t, filepath.Join(top, "go.mod"))
	if !strings.Contains(text, "\ngo 1.26.0\n") || strings.Contains(text, "\ntoolchain ") {
		t.Error("go.mod asks for another Go than 1.26.0, or for a toolchain")
	}
}

func TestOnlyPackage(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string
		err   string
	}{
		"one":           {map[string]string{"a.go": "package a", "b.go": "package a"}, ""},
		"none":          {map[string]string{"a.txt": ""}, "[]"},
		"test":          {map[string]string{"a.go": "package a", "a_test.go": "package a_test"}, `["a" "a_test"]`},
		"never built":   {map[string]string{"a.go": "package a", "gen.go": "//go:build ignore\n\npackage main"}, `["a" "main"]`},
		"only main":     {map[string]string{"a.go": "package main"}, `["main"]`},
		"not even Go":   {map[string]string{"a.go": "#!/bin/sh"}, "illegal character"},
		"in its folder": {map[string]string{"a.go": "package a", "b/b.go": "package b"}, ""},
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
