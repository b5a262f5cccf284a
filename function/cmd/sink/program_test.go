package main

import (
	"testing"

	"github.com/aerosink/aerosink/connector/cli"
	"github.com/aerosink/aerosink/connector/cli/clitest"
)

func TestProgram_family(t *testing.T) {
	clitest.Run(t, func() *cli.Program { return program(environment(nil), nil) })
}
