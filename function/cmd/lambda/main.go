// Command lambda is the function on AWS Lambda: it receives changes over HTTP, from API
// Gateway, a load balancer or a function URL, and stores them in the sinks of AWS.
// Environment variables configure it. Lambda starts it without arguments, as bootstrap.
// Started by people it has commands that check the environment, read stored changes back, and
// compare them with the database. Run "lambda help" for them.
package main

import (
	"context"
	"os"
	"slices"

	"github.com/aerosink/aerosink/connector/cli"
	"github.com/aerosink/aerosink/function/commands"
	"github.com/aerosink/aerosink/function/replay/objects"
	"github.com/aerosink/aerosink/function/replay/objects/s3"
)

// stamp is the version, set by the linker: -X main.stamp=v1.2.3.
var stamp string

func main() {
	if os.Getenv(runtimeAPI) != "" {
		run(os.Getenv, os.Stdout)
		return
	}
	program(os.Getenv, os.Environ()).Main()
}

// program returns the program for people in an environment: getenv returns a variable's value,
// and environ lists all of them as NAME=value.
func program(getenv func(string) string, environ []string) *cli.Program {
	p := commands.Program{
		Name: "lambda", Environment: newEnvironment(getenv), Environ: environ, Buckets: objects.Buckets{"s3": s3.Open},
		Words: commands.Words{
			Bucket: "s3://BUCKET/PREFIX", Sink: "sqs://eu-west-1/123456789012/changes.fifo",
			Archive: "s3://shop-archive/changes", DeadLetters: "s3://shop-dead/letters", Messages: "SQS",
		},
	}
	serving := cli.Command{
		Default:  true,
		Summary:  "answer the invocations of AWS Lambda, which starts the program itself",
		Examples: "SINKS=" + p.Words.Sink + " lambda check -connect\nlambda replay " + p.Words.DeadLetters + " -to " + p.Words.Sink,
		Run: func(context.Context, cli.Streams, []string) error {
			return cli.Usagef("this is a function of AWS Lambda, which starts it with %s; elsewhere name a command", runtimeAPI)
		},
	}
	return &cli.Program{
		Name: p.Name,
		Purpose: "lambda is the function on AWS Lambda: it receives changes over HTTP and stores them in SQS, Kinesis, S3 or several of them. " +
			"Lambda starts it as bootstrap. Environment variables configure it.",
		Stamp:    stamp,
		Commands: slices.Concat([]cli.Command{serving}, p.Commands(), localCommands(getenv)),
		Notes: "Variables that most installations set; run \"lambda env\" for all of them:\n" +
			p.VariableTable("SINKS", "DEAD_LETTERS", "AUTH_TOKENS_SECRET", "BASE_PATH"),
	}
}
