// Package devnode is a development node: one process that clients of Aerospike can talk to
// as if it were a cluster of one node, and that ships what they write over XDR. It is for
// development and for tests. It is not Aerospike's server, and says so in the info values
// "edition" and "version".
//
// What comes in are connections of clients, what goes out are their answers, and changes to
// the connectors of an [xdrtest.Source], which is also the store of the records. A request
// takes these steps:
//
//	connection     reads a message within its limits: info, or a request for records
//	request        header, fields and operations of a request
//	batch, scan    the requests in a batch; the records of partitions
//	record, write  one record: existence, generation, filter, operations
//	filter         an expression, with three values: true, false and unknown
//	particle       a value that a client writes, and whether the server would take it
//	answer         messages with codes, generations, bins
//
// The node differs from a server of release 8.0 in these ways:
//
//   - Records are in memory only. There is one node, no replicas, and nothing migrates.
//   - Durable deletes and XDR work, though they need the Enterprise Edition of the server.
//     The tombstone of a record, and some 200 bytes for any other record that was deleted,
//     stay until the node ends. What was written with the bit of XDR is shipped, too.
//   - Operations on elements of lists and maps, on bits and on HyperLogLogs, user-defined
//     functions, secondary indexes, transactions and compressed requests are not supported
//     (result code 16 where the protocol has no other). Whole values of all types are.
//   - Expressions have no regular expressions, comparisons of GeoJSON, powers, logarithms,
//     searches for bits, literal maps, or operations inside values (result code 4).
//   - A record that has expired is absent at once. A server knows it until its supervisor
//     removes it.
//   - The update time of a record grows by at least a millisecond with each write. A server
//     gives several writes in one millisecond the same time.
//   - Cells of GeoJSON are not computed: the particle has none.
//   - Expressions, lists and maps nest at most 1,000 deep, and user keys are none of the types
//     that XDR cannot ship.
//   - Nobody logs in, and there is no TLS.
//   - It is never full, busy or overloaded: such codes come only from [Config.Fault].
//
// Wire facts are those of aerospike-server, as/include/base/proto.h, and of what releases
// 8.0 and 8.1 of the server answered to recorded requests of its Go, C and Node.js clients.
// In testdata is what a server answered to some 450 scripts of commands. The node is tested
// against it, and the differences stand there.
package devnode

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
)

// Config configures a node. The zero Config is a node with the namespace "test" that ships
// nothing.
type Config struct {
	Namespaces []string // "test" if there are none

	// Source ships the changes, and keeps the records. It is to be run by the caller, and
	// no method of it may be called before Listen. If it is nil, nothing is shipped.
	Source  *xdrtest.Source
	Shipped []string // the namespaces that are shipped; nil ships all

	Now func() time.Time // the clock of update times and expiry; nil means time.Now

	// Fault is called with each request before it is carried out, concurrently; nil means no
	// faults. A Fault that blocks delays the answer.
	Fault func(Command) Fault

	// AllowRemote lets the node listen on an address that is not a loopback address.
	// Anybody who reaches it can read and write all records.
	AllowRemote bool
}

// DC is the name of the data centre of a node that ships changes: the connectors of
// Config.Source. The info commands with context=xdr show it, and rewind it.
const DC = "aerosink"

// Node is a node that serves clients. Its methods are safe for concurrent use.
type Node struct {
	config   Config
	source   *xdrtest.Source
	xdr      *xdrtest.Info
	listener net.Listener
	started  time.Time
	buffers  sync.Pool // of *[]byte
	ended    chan struct{}
	serving  sync.WaitGroup

	mu          sync.Mutex
	connections map[net.Conn]bool // nil after Close
}

// Listen starts a node on a TCP address. It refuses an address that is not a loopback address
// unless c allows it.
func Listen(address string, c Config) (*Node, error) {
	if len(c.Namespaces) == 0 {
		c.Namespaces = []string{"test"}
	}
	if err := checkNamespaces(c.Namespaces, c.Shipped); err != nil {
		return nil, err
	}
	if !c.AllowRemote {
		if err := checkLoopback(address); err != nil {
			return nil, err
		}
	}
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("development node: %w", err)
	}
	n := &Node{config: c, source: c.Source, listener: l, ended: make(chan struct{}), connections: map[net.Conn]bool{}}
	n.started = n.now()
	shipped := c.Shipped
	switch {
	case n.source == nil:
		n.source, shipped = &xdrtest.Source{}, nil
	case shipped == nil:
		shipped = c.Namespaces
	}
	if c.Now != nil {
		n.source.Now = c.Now
	}
	n.source.Ship(shipped...)
	n.xdr = &xdrtest.Info{Source: n.source}
	if c.Source != nil {
		n.xdr.DC, n.xdr.Namespaces = DC, shipped
	}
	n.serving.Go(n.accept)
	n.serving.Go(n.supervise)
	return n, nil
}

// checkNamespaces returns an error if a name cannot be that of a namespace, or if one is to
// be shipped that does not exist.
func checkNamespaces(names, shipped []string) error {
	const most = 31 // bytes; datamodel.h, AS_ID_NAMESPACE_SZ
	for _, name := range names {
		if name == "" || len(name) > most || strings.ContainsAny(name, ":;,=/ \t\r\n") {
			return fmt.Errorf("namespaces of the development node: %q is not a name of 1 to %d bytes without spaces, : ; , = and /", name, most)
		}
	}
	for _, name := range shipped {
		if !slices.Contains(names, name) {
			return fmt.Errorf("namespaces of the development node: %q is to be shipped, but the namespaces are %s", name, strings.Join(names, ", "))
		}
	}
	return nil
}

// checkLoopback returns an error if others than this machine can reach address.
func checkLoopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("address of the development node: %w", err)
	}
	var ips []net.IPAddr
	if host != "" {
		if ips, err = net.DefaultResolver.LookupIPAddr(context.Background(), host); err != nil {
			return fmt.Errorf("address of the development node: %w", err)
		}
	}
	if len(ips) == 0 || slices.ContainsFunc(ips, func(a net.IPAddr) bool { return !a.IP.IsLoopback() }) {
		return fmt.Errorf("address of the development node: %q is not a loopback address, so others could read and write its records; "+
			"listen on 127.0.0.1, or allow remote clients", address)
	}
	return nil
}

// Addr returns the address that clients connect to, as HOST:PORT.
func (n *Node) Addr() string { return n.listener.Addr().String() }

// Source returns the source that keeps the records.
func (n *Node) Source() *xdrtest.Source { return n.source }

// Close closes the listener and all connections, and returns when no request is being served.
func (n *Node) Close() error {
	n.mu.Lock()
	open := n.connections
	n.connections = nil
	n.mu.Unlock()
	if open == nil {
		return nil
	}
	close(n.ended)
	err := n.listener.Close()
	for conn := range open {
		_ = conn.Close() // its request ends with an error
	}
	n.serving.Wait()
	if err != nil {
		return fmt.Errorf("close the development node: %w", err)
	}
	return nil
}

// accept serves connections until the listener is closed.
func (n *Node) accept() {
	for {
		conn, err := n.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // such as too many open files
			n.pause(100 * time.Millisecond)
			continue
		}
		if !n.add(conn) {
			_ = conn.Close() // the node is being closed
			return
		}
		n.serving.Go(func() {
			defer n.remove(conn)
			newConnection(n, conn).serve()
		})
	}
}

// add notes an open connection. It returns false after Close.
func (n *Node) add(conn net.Conn) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.connections != nil {
		n.connections[conn] = true
	}
	return n.connections != nil
}

func (n *Node) remove(conn net.Conn) {
	_ = conn.Close() // everything was written, or the client is gone
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.connections, conn)
}

// clientCount returns the number of open connections.
func (n *Node) clientCount() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.connections)
}

// supervise removes expired records each second.
func (n *Node) supervise() {
	for n.pause(time.Second) {
		n.source.Sweep()
	}
}

// pause waits for d. It returns false if the node is closed.
func (n *Node) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-n.ended:
		return false
	}
}

func (n *Node) hasNamespace(name []byte) bool {
	for _, has := range n.config.Namespaces {
		if has == string(name) {
			return true
		}
	}
	return false
}

// now returns the time of the node's clock.
func (n *Node) now() time.Time {
	if n.config.Now == nil {
		return time.Now()
	}
	return n.config.Now()
}
