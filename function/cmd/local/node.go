package main

import (
	"context"
	"time"

	"github.com/aerosink/aerosink/connector/devnode"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
)

// node is the development node, and the source that ships its changes to the connector.
type node struct {
	*devnode.Node
	source *xdrtest.Source

	stopSource context.CancelFunc
	sourceEnd  chan struct{}
}

// startNode starts the node, which ships to the connector at xdrAddress.
func startNode(o *options, xdrAddress string) (*node, error) {
	n := &node{source: &xdrtest.Source{Address: xdrAddress, Connections: 4}, sourceEnd: make(chan struct{})}
	var err error
	n.Node, err = devnode.Listen(o.node, devnode.Config{
		Namespaces:  append(splitNames(o.namespaces), splitNames(o.unshipped)...),
		Source:      n.source,
		Shipped:     splitNames(o.namespaces),
		AllowRemote: o.allowRemote,
	})
	if err != nil {
		return nil, listenError("the node", o.node, "-node", err)
	}
	var ctx context.Context
	ctx, n.stopSource = context.WithCancel(context.Background())
	go func() {
		defer close(n.sourceEnd)
		n.source.Run(ctx)
	}()
	return n, nil
}

// stop stops the node, and then the source once it has shipped what was written, or after a
// while.
func (n *node) stop() error {
	const patience = 5 * time.Second
	err := n.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_ = n.source.Settle(ctx) // whatever is left is lost with the node
	n.stopSource()
	<-n.sourceEnd
	return err
}
