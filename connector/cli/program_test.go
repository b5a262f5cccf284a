package cli_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/aerosink/aerosink/connector/cli"
)

// program returns a program whose commands print their flags and arguments.
func program() *cli.Program {
	var file string
	var n int
	var dry bool
	fileFlag := func(f *flag.FlagSet) { f.StringVar(&file, "config", "default.yml", "the configuration `FILE`") }
	show := func(name string) func(context.Context, cli.Streams, []string) error {
		return func(_ context.Context, streams cli.Streams, args []string) error {
			_, err := fmt.Fprintf(streams.Stdout, "%s config=%s n=%d dry=%t %q", name, file, n, dry, args)
			return err
		}
	}
	return &cli.Program{
		Name: "prog", Purpose: "prog is a test.", Stamp: "v1.2.3",
		Commands: []cli.Command{
			{Default: true, PathAs: "-config", Summary: "run", Examples: "prog", Flags: fileFlag, Run: show("run")},
			{Name: "check", PathAs: "-config", Summary: "check", Examples: "prog check", Flags: fileFlag, Run: show("check")},
			{Name: "replay", Args: "FROM TO", Summary: "replay", Examples: "prog replay a b", Run: show("replay"), Flags: func(f *flag.FlagSet) {
				f.IntVar(&n, "rate", 0, "at most `N` per second")
				f.BoolVar(&dry, "dry-run", false, "store nothing")
			}},
			{Name: "join", Args: "INTO FILE...", Summary: "join", Examples: "prog join a b c", Run: show("join")},
			{Name: "fail", Summary: "fail", Examples: "prog fail", Run: func(context.Context, cli.Streams, []string) error { return errors.New("it failed") }},
			{Name: "misuse", Summary: "misuse", Examples: "prog misuse", Run: func(context.Context, cli.Streams, []string) error { return cli.Usagef("pick one") }},
		},
	}
}

func run(t *testing.T, args string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	words := strings.Fields(args)
	for i, word := range words {
		words[i] = strings.Trim(word, `"`)
	}
	err := program().Run(t.Context(), words, cli.Streams{Stdout: &out, Stderr: &out})
	return out.String(), err
}

func TestProgram_Run(t *testing.T) {
	for args, want := range map[string]string{
		"":                                    `run config=default.yml n=0 dry=false []`,
		"-config a.yml":                       `run config=a.yml n=0 dry=false []`,
		"--config=a.yml":                      `run config=a.yml n=0 dry=false []`,
		"check":                               `check config=default.yml n=0 dry=false []`,
		"check -config a.yml":                 `check config=a.yml n=0 dry=false []`,
		"--config a.yml check":                `check config=a.yml n=0 dry=false []`,
		"-config -help check":                 `check config=-help n=0 dry=false []`,
		"replay a b":                          `replay config=default.yml n=0 dry=false ["a" "b"]`,
		"-rate 5 replay a -dry-run b":         `replay config=default.yml n=5 dry=true ["a" "b"]`,
		"replay a b -rate=5 --dry-run":        `replay config=default.yml n=5 dry=true ["a" "b"]`,
		"replay -dry-run a b":                 `replay config=default.yml n=0 dry=true ["a" "b"]`,
		"replay -dry-run=false -rate -1 a -2": `replay config=default.yml n=-1 dry=false ["a" "-2"]`,
		"replay -dry-run -- a -b":             `replay config=default.yml n=0 dry=true ["a" "-b"]`,
		`replay "" -`:                         `replay config=default.yml n=0 dry=false ["" "-"]`,
		"join a b":                            `join config=default.yml n=0 dry=false ["a" "b"]`,
		"join a b c=1 d.txt":                  `join config=default.yml n=0 dry=false ["a" "b" "c=1" "d.txt"]`,
		"replay a help":                       `replay config=default.yml n=0 dry=false ["a" "help"]`,
	} {
		if got, err := run(t, args); err != nil || got != want {
			t.Errorf("prog %s: %s, error %v, want %s", args, got, err, want)
		}
	}
}

func TestProgram_Run_errors(t *testing.T) {
	for args, want := range map[string]string{
		"fail":                 `prog fail: it failed`,
		"misuse":               `prog misuse: pick one; run "prog help misuse"`,
		"chek":                 `prog: unknown command "chek"; did you mean "check"? Run "prog help".`,
		"start":                `prog: unknown command "start"; run "prog help"`,
		"config":               `prog: unknown command "config"; did you mean "-config"? Run "prog help".`,
		"a.yml":                `prog: unknown command "a.yml"; did you mean "prog -config a.yml"? Run "prog help".`,
		`""`:                   `prog: unknown command ""; run "prog help"`,
		"help chek":            `prog help: unknown command "chek"; did you mean "check"? Run "prog help".`,
		"help check x":         `prog help: unexpected argument "x"; run "prog help"`,
		"version x":            `prog version: unexpected argument "x"; run "prog help version"`,
		"check a.yml":          `prog check: unexpected argument "a.yml"; did you mean "prog check -config a.yml"? Run "prog help check".`,
		"check a":              `prog check: unexpected argument "a"; run "prog help check"`,
		"check -confg a":       `prog check: unknown flag -confg; did you mean "-config"? Run "prog help check".`,
		"-x":                   `prog: unknown flag -x; run "prog help"`,
		"check -rate 5":        `prog check: -rate is a flag of "prog replay"; run "prog help check"`,
		"check -config":        `prog check: flag needs an argument: -config; run "prog help check"`,
		"replay -rate x a b":   `prog replay: invalid value "x" for flag -rate: parse error; run "prog help replay"`,
		"replay":               `prog replay: missing FROM and TO; run "prog help replay"`,
		"replay a":             `prog replay: missing TO; run "prog help replay"`,
		"replay a b c":         `prog replay: unexpected argument "c"; run "prog help replay"`,
		"join":                 `prog join: missing INTO and FILE; run "prog help join"`,
		"join a":               `prog join: missing FILE; run "prog help join"`,
		"replay a b -config c": `prog replay: -config is a flag of "prog"; run "prog help replay"`,
	} {
		if out, err := run(t, args); err == nil || err.Error() != want || out != "" {
			t.Errorf("prog %s: error %v, want %s; output %q", args, err, want, out)
		}
	}
}

func TestProgram_help(t *testing.T) {
	const want = `prog is a test.

Usage:
  prog [-config FILE]        run
  prog check [-config FILE]  check
  prog replay [-dry-run] [-rate N] FROM TO
                             replay
  prog join INTO FILE...     join
  prog fail                  fail
  prog misuse                misuse
  prog version               print the version
  prog help [COMMAND]        print this help, or the help of a command

Flags:
  -config FILE  the configuration FILE (default default.yml)

Examples:
  prog

Run "prog help COMMAND" for the flags and examples of a command.
`
	if got, err := run(t, "help"); err != nil || got != want {
		t.Errorf("error %v, help:\n%s\nwant:\n%s", err, got, want)
	}
}
