// Package pipeline has what the programs share that run the pipeline on one machine, to see it
// work (function/cmd/local, function/lambda/local). What comes in are writes to a development
// node, or captured messages; a connector in the process ships them to a function; what goes
// out is text on a terminal about what arrived.
//
//	┌──────┐   ┌───────────┐   ┌──────────────┐   ┌─────────┐
//	│ Node │──▶│ Connector │──▶│ the function │──▶│ Printer │
//	└──────┘   └───────────┘   └──────────────┘   └─────────┘
//
// A program takes these steps:
//
//  1. [Listen] opens the ports of the [Connector], and [StartNode] starts a [Node].
//  2. The program starts its function, and [Connector.Start] ships to it.
//  3. Changes come from the node, or from [Messages] that [Play] ships.
//  4. The program prints what arrives with a [Printer], and finds it among the [Expected].
package pipeline

import (
	"errors"
	"fmt"
	"net"
	"os"
)

// MetadataKey is the key of the metadata in flat JSON.
const MetadataKey = "metadata"

// ListenError returns the error for an address that cannot be listened on, with the flag that
// changes it.
func ListenError(of, address, flag string, err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err // without the address again
	}
	return fmt.Errorf("listen on %s for %s: %w; choose another address with %s", address, of, err, flag)
}

// ClientAddress returns where a client on this machine finds a listener with this address.
func ClientAddress(listener string) string {
	host, port, _ := net.SplitHostPort(listener) // the address of a listener is valid
	if net.ParseIP(host).IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return listener
}

// nodeAddress returns where nodes of a database find a listener with this address, and what
// else there is to know. Instead of all addresses it has the name of this machine.
func nodeAddress(listener string) (address, hint string) {
	host, port, _ := net.SplitHostPort(listener) // the address of a listener is valid
	ip := net.ParseIP(host)
	if ip.IsLoopback() {
		return listener, "for other machines, start with -listen 0.0.0.0:8901"
	}
	if !ip.IsUnspecified() {
		return listener, "the address of -listen"
	}
	name, err := os.Hostname()
	if err != nil {
		name = "THIS-MACHINE"
	}
	return net.JoinHostPort(name, port), "or to another name or address of this machine"
}
