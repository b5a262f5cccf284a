// Package local is the command local of function/cmd/lambda: the whole way of a change on AWS,
// in one process on loopback. A development node takes the writes of any Aerospike client; the
// connector, the adapter of Lambda's events and the function are the real ones; API Gateway and
// a load balancer are played by package gateway, and SQS, Kinesis and S3 by fakes.
//
//	┌───────────┐   ┌─────────┐   ┌────────────────┐   ┌──────────┐   ┌──────┐
//	│ connector │──▶│ gateway │──▶│ lambda.Handler │──▶│ Receiver │──▶│ fake │
//	└───────────┘   └─────────┘   └────────────────┘   └──────────┘   └──────┘
//
// The steps of [options.run]:
//
//  1. [openCloud] starts the fakes, with the queues, streams and buckets that the sinks name.
//  2. [openFunction] opens the fronts, and the function behind them.
//  3. The connector and the node start (package pipeline).
//  4. [options.follow] prints what arrives until it is interrupted. With -once there is no
//     node: [options.playOnce] plays captured messages, and checks that every change came out.
//
// It is not linked into the program that Lambda runs, which is built with the tag
// lambda.norpc.
package local

import (
	"context"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/aerosink/aerosink/connector/cli"
	"github.com/aerosink/aerosink/function/lambda/gateway"
	"github.com/aerosink/aerosink/function/sink/awstest/fake"
)

// Command returns the command. Its function uses the variables of the environment, except those
// of tokens.
func Command(getenv func(string) string) cli.Command {
	o := &options{getenv: getenv}
	return cli.Command{
		Name: "local", PathAs: "-xdr",
		Summary: "run the connector and this function on loopback, behind fakes of AWS's services",
		Details: "It needs no account: write records into a development node, or send changes with curl, and see the\n" +
			"messages in SQS, Kinesis and S3. The connector ships to the first of the -front. The queues, streams\n" +
			"and buckets of -sinks are made; they are in region " + fake.Region + " and account " + fake.Account + ". Fronts:\n" +
			strings.Join(gateway.Names(), ", ") + ".",
		Examples: "lambda local\nlambda local -once\nlambda local -front alb -ports 8900 -sinks '" + queueSink + "?mode=packed'",
		Flags:    o.flags,
		Run: func(ctx context.Context, streams cli.Streams, _ []string) error {
			// A reader that goes away is an error of the write and not the end of the process.
			signal.Ignore(syscall.SIGPIPE)
			ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP) // the terminal was closed
			defer stop()
			return o.run(ctx, streams)
		},
	}
}

// awsVariables make AWS's clients in this process use the server at url, with made-up
// credentials and nothing of the machine's configuration.
func awsVariables(url string) map[string]string {
	return map[string]string{
		"AWS_ENDPOINT_URL": url, "AWS_ENDPOINT_URL_SQS": "", "AWS_ENDPOINT_URL_KINESIS": "", "AWS_ENDPOINT_URL_S3": "", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "",
		"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true",
	}
}
