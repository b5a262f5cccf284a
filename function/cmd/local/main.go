// Command local runs the whole pipeline in one process on loopback, to see it work and
// to try things out. A development node takes the writes of any Aerospike client, and ships
// them over XDR; the connector and the function are the real ones; Pub/Sub and Cloud
// Storage are embedded emulators. The commands put, get and delete are clients of the node.
// Run "local help" for all of it.
//
// The steps of [options.run] are [openCloud], [openProcess], [pipeline.StartNode], the start of
// the function and the connector, and then [options.follow], which shows what comes out until
// it is interrupted. With -once there is no node: [options.playOnce] plays captured messages,
// and checks that every change came out.
package main

import (
	"context"
	"os/signal"
	"syscall"

	"github.com/aerosink/aerosink/connector/cli"
)

// stamp is the version, set by the linker: -X main.stamp=v1.2.3.
var stamp string

func main() {
	// A reader that goes away, as in "local -o line | head", is an error of the write and
	// not the end of the process, which would leave its temporary folder behind.
	signal.Ignore(syscall.SIGPIPE)
	program().Main()
}

func program() *cli.Program {
	var o options
	var r recordOptions
	return &cli.Program{
		Name: "local",
		Purpose: "local runs a development node, the connector, the function, and emulators of Pub/Sub and Cloud Storage in one process. " +
			"It needs no Aerospike server and no account: write records, and see the changes come out.",
		Stamp: stamp,
		Commands: []cli.Command{
			{
				Name: "run", Default: true, PathAs: "-xdr",
				Summary:  "run everything, and show changes as they come out, until SIGTERM or SIGINT",
				Examples: "local\nlocal -ports 8900 -archive parquet -dir /tmp/objects\nlocal -once",
				Flags:    o.flags,
				Run: func(ctx context.Context, streams cli.Streams, _ []string) error {
					ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP) // the terminal was closed
					defer stop()
					return o.run(ctx, streams)
				},
			},
			{
				Name: "put", Args: "NS.SET KEY NAME=VALUE...",
				Summary: "write bins of a record; its other bins stay",
				Details: valueRule,
				Examples: "local put shop.customers k1 name=Joe age=27\n" +
					"local put test.orders 1001 -int -ttl 1h 'items=[\"a\",\"b\"]' paid=true 'zip=\"08001\"'",
				Flags: r.putFlags,
				Run: func(ctx context.Context, streams cli.Streams, args []string) error {
					operations, err := parseBins(args[2:])
					if err != nil {
						return err
					}
					return r.run(ctx, streams, args, func(r *record) (*result, error) { return r.put(operations) })
				},
			},
			{
				Name: "get", Args: "NS.SET KEY",
				Summary:  "read a record",
				Examples: "local get shop.customers k1\nlocal get test.orders 1001 -int -o json",
				Flags:    r.flags,
				Run: func(ctx context.Context, streams cli.Streams, args []string) error {
					return r.run(ctx, streams, args, (*record).get)
				},
			},
			{
				Name: "delete", Args: "NS.SET KEY",
				Summary:  "delete a record",
				Examples: "local delete shop.customers k1\nlocal delete test.orders 1001 -int -durable",
				Flags:    r.deleteFlags,
				Run: func(ctx context.Context, streams cli.Streams, args []string) error {
					return r.run(ctx, streams, args, (*record).delete)
				},
			},
		},
		Notes: "The node is in memory and for development; it is not Aerospike's server. While it runs, a real\n" +
			"database can ship to the connector too. It prints how.",
	}
}
