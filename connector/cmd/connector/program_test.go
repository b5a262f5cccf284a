package main

import (
	"strings"
	"testing"

	"github.com/aerosink/aerosink/connector/cli"
	"github.com/aerosink/aerosink/connector/cli/clitest"
)

func TestProgram_family(t *testing.T) {
	clitest.Run(t, program)
}

// The Dockerfiles set the version with -X main.stamp.
func TestProgram_stamp(t *testing.T) {
	defer func(old string) { stamp = old }(stamp)
	stamp = "v1.2.3"
	var out strings.Builder
	if err := program().Run(t.Context(), []string{"version"}, cli.Streams{Stdout: &out}); err != nil || !strings.HasPrefix(out.String(), "connector v1.2.3 (") {
		t.Errorf("%q, error %v", out.String(), err)
	}
}
