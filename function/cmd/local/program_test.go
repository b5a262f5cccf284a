package main

import (
	"testing"

	"github.com/aerosink/aerosink/connector/cli/clitest"
)

func TestProgram_family(t *testing.T) {
	clitest.Run(t, program)
}
