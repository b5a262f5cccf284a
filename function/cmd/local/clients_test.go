package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// client copies a file of testdata/clients to dir, with the port of node, and returns its
// path.
func client(t *testing.T, dir, name, node string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../../testdata/clients", name))
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(node)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(text), "3000") != 1 {
		t.Fatalf("%s does not have the port 3000 once", name)
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), "3000", port, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// The quick start's program for Go's client writes a record, which comes out.
func TestClients_go(t *testing.T) {
	out, node := startLocal(t, "-o", "line")
	text, err := exec.Command("go", "run", client(t, t.TempDir(), "put.go", node)).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	// The client stores no key, and keeps the bins in a map.
	out.Find(t, `   1  \S+  write   shop\.customers  \S+=  generation 1  (name=Ann age=31|age=31 name=Ann)\n`)
}

// The quick start's program for the client of npm does the same.
func TestClients_node(t *testing.T) {
	program, err := exec.LookPath("node")
	if err != nil {
		t.Skip("the client of npm needs node, which is not installed")
	}
	found, err := exec.Command(program, "-e", "console.log(require.resolve('aerospike/package.json'))").Output()
	if err != nil {
		t.Skip("the client of npm is not installed: npm install --prefix DIR aerospike@6.7.1, and set NODE_PATH=DIR/node_modules")
	}
	dir := t.TempDir()
	modules := filepath.Dir(filepath.Dir(strings.TrimSpace(string(found)))) // import does not look at NODE_PATH
	if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	out, node := startLocal(t, "-o", "line")
	text, err := exec.Command(program, client(t, dir, "put.mjs", node)).CombinedOutput()
	if err != nil {
		t.Fatal(fmt.Errorf("%w\n%s", err, text))
	}
	out.Find(t, `   1  \S+  write   shop\.customers  \S+=  generation 1  (name=Eve age=45|age=45 name=Eve)\n`)
}
