// Package devnodetest starts development nodes for tests, and finds the server that the same
// tests can run against.
package devnodetest

import (
	"net"
	"os"
	"testing"

	"github.com/aerosink/aerosink/connector/devnode"
)

// Start starts a node on a free port of loopback. It is closed at the end of the test.
func Start(t testing.TB, c devnode.Config) *devnode.Node {
	t.Helper()
	n, err := devnode.Listen("127.0.0.1:0", c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// Server returns the address of the server that the variable AEROSPIKE_HOST names as HOST or
// HOST:PORT, and false if it is not set.
func Server() (address string, ok bool) {
	address = os.Getenv("AEROSPIKE_HOST")
	if _, _, err := net.SplitHostPort(address); err != nil && address != "" {
		address = net.JoinHostPort(address, "3000")
	}
	return address, address != ""
}
