package pipeline

import (
	"context"
	"flag"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/aerosink/aerosink/connector/cli"
	"github.com/aerosink/aerosink/connector/devnode"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
)

// DefaultNode is where the node listens unless a flag says otherwise.
const DefaultNode = "127.0.0.1:3000"

// NodeOptions are the flags of a [Node].
type NodeOptions struct {
	Address string // HOST:PORT

	allowRemote           bool
	namespaces, unshipped string
}

// Flags declares the flags.
func (o *NodeOptions) Flags(f *flag.FlagSet) {
	f.StringVar(&o.Address, "node", DefaultNode, "the node listens on `HOST:PORT`")
	f.BoolVar(&o.allowRemote, "allow-remote", false, "the node, which has no passwords, may listen on other addresses than loopback")
	f.StringVar(&o.namespaces, "namespaces", "test,shop", "`NAMES` of the node's namespaces whose changes are shipped")
	f.StringVar(&o.unshipped, "unshipped", "restore", "`NAMES` of its namespaces whose changes are not")
}

// Check checks where the node listens and what it has. The error is one of usage.
func (o *NodeOptions) Check() error {
	host, _, err := net.SplitHostPort(o.Address)
	if err != nil {
		return cli.Usagef("-node: %q is not HOST:PORT", o.Address)
	}
	if ip := net.ParseIP(host); host != "localhost" && !ip.IsLoopback() && !o.allowRemote {
		return cli.Usagef("-node: the node has no passwords, and %q is not a loopback address; let other machines in with -allow-remote", host)
	}
	shipped, unshipped := splitNames(o.namespaces), splitNames(o.unshipped)
	if len(shipped) == 0 {
		return cli.Usagef("-namespaces: no names")
	}
	for i, name := range slices.Concat(shipped, unshipped) {
		if slices.Contains(slices.Concat(shipped, unshipped)[:i], name) {
			return cli.Usagef("-namespaces, -unshipped: %q twice", name)
		}
		if len(name) > 31 || strings.ContainsAny(name, " \t\r\n./:;=") {
			return cli.Usagef("-namespaces, -unshipped: %q is not a name: at most 31 bytes without . / : ; = and white space", name)
		}
	}
	return nil
}

// splitNames splits a list at its commas.
func splitNames(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

// Example returns a namespace to write to, to see the change come out: "shop", as in the
// README, if that is shipped.
func (o *NodeOptions) Example() string {
	shipped := splitNames(o.namespaces)
	if slices.Contains(shipped, "shop") {
		return "shop"
	}
	return shipped[0]
}

// List returns what happens to changes of the node's namespaces, for people.
func (o *NodeOptions) List() string {
	text := "shipped: " + strings.Join(splitNames(o.namespaces), ", ")
	if unshipped := splitNames(o.unshipped); len(unshipped) > 0 {
		text += "; not shipped: " + strings.Join(unshipped, ", ")
	}
	return text
}

// Node is the development node, and the source that ships its changes to the connector.
type Node struct {
	*devnode.Node
	source *xdrtest.Source

	stopSource context.CancelFunc
	sourceEnd  chan struct{}
}

// StartNode starts a node that ships to a connector at xdrAddress.
func StartNode(o *NodeOptions, xdrAddress string) (*Node, error) {
	n := &Node{source: &xdrtest.Source{Address: xdrAddress, Connections: 4}, sourceEnd: make(chan struct{})}
	var err error
	n.Node, err = devnode.Listen(o.Address, devnode.Config{
		Namespaces:  append(splitNames(o.namespaces), splitNames(o.unshipped)...),
		Source:      n.source,
		Shipped:     splitNames(o.namespaces),
		AllowRemote: o.allowRemote,
	})
	if err != nil {
		return nil, ListenError("the node", o.Address, "-node", err)
	}
	var ctx context.Context
	ctx, n.stopSource = context.WithCancel(context.Background())
	go func() {
		defer close(n.sourceEnd)
		n.source.Run(ctx)
	}()
	return n, nil
}

// Stop stops the node, and then the source once it has shipped what was written, or after a
// while.
func (n *Node) Stop() error {
	const patience = 5 * time.Second
	err := n.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_ = n.source.Settle(ctx) // whatever is left is lost with the node
	n.stopSource()
	<-n.sourceEnd
	return err
}
