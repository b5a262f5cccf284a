package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/cli"
	"github.com/aerosink/aerosink/connector/cli/clitest"
)

// lambdaCommand runs the program, not under Lambda, and returns its output.
func lambdaCommand(t *testing.T, variables map[string]string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var environ []string
	for name, value := range variables {
		environ = append(environ, name+"="+value)
	}
	var out, log bytes.Buffer
	err = program(func(name string) string { return variables[name] }, environ).Run(t.Context(), args, cli.Streams{Stdout: &out, Stderr: &log})
	return out.String(), log.String(), err
}

func TestProgram_family(t *testing.T) {
	clitest.Run(t, func() *cli.Program { return program(func(string) string { return "" }, nil) })
}

// The build sets the version with -X main.stamp.
func TestProgram_stamp(t *testing.T) {
	defer func(old string) { stamp = old }(stamp)
	stamp = "v1.2.3"
	if out, _, err := lambdaCommand(t, nil, "version"); err != nil || !strings.HasPrefix(out, "lambda v1.2.3 (") {
		t.Errorf("%q, error %v", out, err)
	}
}

// Started by a person without a command, it says that only Lambda can do that.
func TestProgram_notUnderLambda(t *testing.T) {
	process := changetest.Command(t)
	out, _ := process.CombinedOutput() // the exit status is checked below
	const want = "lambda: this is a function of AWS Lambda, which starts it with AWS_LAMBDA_RUNTIME_API; elsewhere name a command; run \"lambda help\"\n"
	if process.ProcessState.ExitCode() != 2 || string(out) != want {
		t.Errorf("exit status %d, %q", process.ProcessState.ExitCode(), out)
	}
}
