// Package devnodetest starts development nodes for tests, finds the server that the same tests
// can run against, and connects to either.
package devnodetest

import (
	"net"
	"os"
	"testing"

	as "github.com/aerospike/aerospike-client-go/v7"

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

// Connect returns a client of the node or server at an address, HOST:PORT. It is closed at the
// end of the test.
func Connect(t testing.TB, address string) *as.Client {
	t.Helper()
	hosts, err := as.NewHosts(address)
	if err != nil {
		t.Fatal(err)
	}
	c, asErr := as.NewClientWithPolicyAndHost(as.NewClientPolicy(), hosts...)
	if asErr != nil {
		t.Fatal(asErr)
	}
	t.Cleanup(c.Close)
	return c
}
