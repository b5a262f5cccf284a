package devnode_test

import (
	"bufio"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"sync"
	"testing"
)

// npmPackage is the client that testdata/client.js uses.
const npmPackage = "aerospike@6.7.1"

// clientNPM runs commands with npm's client, in a process of node.
type clientNPM struct {
	t testing.TB

	mu      sync.Mutex
	encoder *json.Encoder
	decoder *json.Decoder
	failed  bool // the process has ended
}

// newClientNPM skips the test if node does not find the client.
func newClientNPM(t testing.TB, address string) *clientNPM {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("npm's client of Aerospike needs node, which is not installed")
	}
	if err := exec.CommandContext(t.Context(), node, "-e", "require('aerospike')").Run(); err != nil {
		t.Skipf("npm's client of Aerospike is not installed: npm install --prefix DIR --ignore-scripts %s, and set NODE_PATH=DIR/node_modules", npmPackage)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	process := exec.CommandContext(t.Context(), node, "testdata/client.js", host, port)
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
			t.Errorf("%s: %v", npmPackage, err)
		}
	})
	return &clientNPM{t: t, encoder: json.NewEncoder(in), decoder: json.NewDecoder(bufio.NewReader(out))}
}

func (c *clientNPM) name() string { return "npm" }

// run carries out a command.
func (c *clientNPM) run(cmd call) (o outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed {
		return outcome{Code: noCode}
	}
	err := c.encoder.Encode(cmd)
	if err == nil {
		err = c.decoder.Decode(&o)
	}
	if err != nil {
		c.failed = true
		c.t.Errorf("%s: %v", npmPackage, err)
		return outcome{Code: noCode}
	}
	o.normalize(c.t)
	return o
}

// normalize makes the literals those of Go.
func (o *outcome) normalize(t testing.TB) {
	for name, text := range o.Bins {
		v, err := parseValue(text)
		if err != nil {
			t.Fatalf("%s: bin %s: %v", npmPackage, name, err)
		}
		o.Bins[name] = literal(v)
	}
	for i := range o.Rows {
		o.Rows[i].normalize(t)
	}
}
