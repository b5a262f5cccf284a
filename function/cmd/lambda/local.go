//go:build !lambda.norpc

package main

import (
	"github.com/aerosink/aerosink/connector/cli"
	"github.com/aerosink/aerosink/function/lambda/local"
)

// localCommands returns the command local, which plays AWS on one machine. What Lambda runs is
// built with the tag lambda.norpc and does not link it.
func localCommands(getenv func(string) string) []cli.Command {
	return []cli.Command{local.Command(getenv)}
}
