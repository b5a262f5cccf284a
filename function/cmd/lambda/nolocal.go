//go:build lambda.norpc

package main

import "github.com/aerosink/aerosink/connector/cli"

// localCommands returns no command: a program that Lambda runs plays no AWS.
func localCommands(func(string) string) []cli.Command { return nil }
