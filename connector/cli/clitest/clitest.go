// Package clitest tests the help, the version and the usage errors of a program.
package clitest

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/cli"
)

// Limits on the size of a help text.
const (
	screenLines   = 40
	screenColumns = 100
)

// Run tests the help, the version and the usage errors of a program and of each of its
// commands. The package's TestMain must be [changetest.Main], so that the program can be run
// as a process.
func Run(t *testing.T, program func() *cli.Program) {
	p := program()
	names := []string{"version", "help"}
	for _, c := range p.Commands {
		if c.Name != "" {
			names = append(names, c.Name)
		}
	}
	helps := [][]string{{"help"}, {"-h"}, {"-help"}, {"--help"}}
	for _, name := range names {
		helps = append(helps, []string{"help", name}, []string{name, "-h"}, []string{name, "-help"}, []string{name, "--help"}, []string{"--help", name})
		if name != "help" {
			helps = append(helps, []string{name, "help"})
		}
	}
	for _, args := range helps {
		testHelp(t, program(), args)
	}
	versions := [][]string{{"version"}, {"-version"}, {"--version"}}
	for _, name := range names {
		if name != "help" {
			versions = append(versions, []string{name, "-version"}, []string{name, "--version"}, []string{name, "version"})
		}
	}
	for _, args := range versions {
		if out, err := output(t, program(), args); err != nil || !strings.HasPrefix(out, p.Name+" ") || strings.Count(out, "\n") != 1 {
			t.Errorf("%s %q: %q, error %v", p.Name, args, out, err)
		}
	}
	ok := [][]string{{"version"}, {"help"}}
	unknown := [][]string{{"helpo"}, {"-helpo"}, {""}}
	for _, name := range names {
		ok = append(ok, []string{name, "-h"})
		unknown = append(unknown, []string{name + "x"}, []string{name, "-helpo"})
	}
	for _, args := range ok {
		testStatus(t, args, 0, "")
	}
	for _, args := range unknown {
		testStatus(t, args, 2, near(args))
	}
}

// near returns the end of the error for a misspelled command or flag.
func near(args []string) string {
	switch last := args[len(args)-1]; last {
	case "":
		return `unknown command ""`
	case "-helpo":
		return `unknown flag -helpo; did you mean "-help"? Run "`
	case "helpo":
		return `unknown command "helpo"; did you mean "help"? Run "`
	default:
		return `; did you mean "` + strings.TrimSuffix(last, "x") + `"? Run "`
	}
}

func testHelp(t *testing.T, p *cli.Program, args []string) {
	t.Helper()
	out, err := output(t, p, args)
	if err != nil || !strings.Contains(out, "Usage:") || !strings.Contains(out, "\nExamples:\n") {
		t.Errorf("%s %q: error %v, or no usage or examples in:\n%s", p.Name, args, err, out)
	}
	if n := strings.Count(out, "\n"); n > screenLines || !strings.HasSuffix(out, "\n") {
		t.Errorf("%s %q: %d lines, want at most %d:\n%s", p.Name, args, n, screenLines, out)
	}
	for line := range strings.Lines(out) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > screenColumns {
			t.Errorf("%s %q: %d columns, want at most %d: %s", p.Name, args, n, screenColumns, line)
		}
	}
}

func output(t *testing.T, p *cli.Program, args []string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := p.Run(t.Context(), args, cli.Streams{Stdout: &out, Stderr: &out})
	return out.String(), err
}

// testStatus runs the program as a process.
func testStatus(t *testing.T, args []string, want int, text string) {
	t.Helper()
	process := changetest.Command(t, args...)
	out, _ := process.CombinedOutput() // the exit status is checked below
	if status := process.ProcessState.ExitCode(); status != want || !strings.Contains(string(out), text) {
		t.Errorf("%q: exit status %d, want %d, and %q in:\n%s", args, status, want, text, out)
	}
}
