// Command sink serves the function on its own, as on Cloud Run: it receives changes
// over HTTP and stores them in Pub/Sub and Cloud Storage. It also reads stored changes
// back, and compares them with the database. Environment variables configure it. Run
// "sink help" for the commands.
//
// With the build tag aws it also has the sinks and buckets of AWS, beside Google's.
package main

import (
	"context"
	"os"

	"github.com/aerosink/aerosink/connector/cli"
	"github.com/aerosink/aerosink/function/commands"
)

// stamp is the version, set by the linker: -X main.stamp=v1.2.3.
var stamp string

func main() { program(os.Getenv, os.Environ()).Main() }

// program returns the program in an environment: getenv returns a variable's value, and
// environ lists all of them as NAME=value.
func program(getenv func(string) string, environ []string) *cli.Program {
	p := commands.Program{
		Name: "sink", Environment: newEnvironment(getenv), Environ: environ, Buckets: buckets,
		Words: commands.Words{
			Bucket: "gs://BUCKET/PREFIX", Sink: "pubsub://shop/changes",
			Archive: "gs://shop-archive/changes", DeadLetters: "gs://shop-dead/letters", Messages: "Pub/Sub",
		},
	}
	serving := cli.Command{
		Name: "serve", Default: true, PathAs: "replay",
		Summary:  "serve HTTP/1.1 and HTTP/2 on PORT, until SIGTERM or SIGINT",
		Details:  "On SIGTERM it answers the requests that are in flight, then exits.",
		Examples: "SINKS=log: sink\nSINKS=pubsub://shop/changes DEAD_LETTERS=gs://shop-dead/letters sink",
		Run: func(ctx context.Context, streams cli.Streams, _ []string) error {
			return serve(ctx, getenv, streams.Stderr)
		},
	}
	return &cli.Program{
		Name:     p.Name,
		Purpose:  "sink receives changes over HTTP and stores them in Pub/Sub, Cloud Storage or both. Environment variables configure it.",
		Stamp:    stamp,
		Commands: append([]cli.Command{serving}, p.Commands()...),
		Notes: "Variables that most installations set; run \"sink env\" for all of them:\n" +
			p.VariableTable("SINKS", "DEAD_LETTERS", "PORT", "METRICS_PORT", "AUTH_TOKENS_FILE"),
	}
}
