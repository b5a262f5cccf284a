// Command lambda is the function on AWS Lambda: it receives changes over HTTP, from API
// Gateway, a load balancer or a function URL, and stores them in the sinks of AWS.
// Environment variables configure it. Lambda starts it without arguments, as bootstrap.
package main

import (
	"context"
	"os"

	"github.com/aerosink/aerosink/connector/cli"
)

// stamp is the version, set by the linker: -X main.stamp=v1.2.3.
var stamp string

func main() {
	if os.Getenv(runtimeAPI) != "" {
		run(os.Getenv, os.Stdout)
		return
	}
	program().Main()
}

// program returns the program for people.
func program() *cli.Program {
	return &cli.Program{
		Name:    "lambda",
		Purpose: "lambda is the function on AWS Lambda, which starts it as bootstrap. Environment variables configure it.",
		Stamp:   stamp,
		Commands: []cli.Command{{
			Name: "check", Summary: "print every error of the settings", Examples: "SINKS=log: lambda check",
			Run: func(_ context.Context, streams cli.Streams, _ []string) error {
				for _, err := range newEnvironment(os.Getenv).Examine(nil).Errors {
					return err
				}
				return nil
			},
		}},
	}
}
