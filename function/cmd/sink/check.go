package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/aerosink/aerosink/function"
)

// check reads the arguments of the command.
func check(ctx context.Context, p process, args []string) error {
	flags := flag.NewFlagSet("sink check", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	connect := flags.Bool("connect", false, "")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 {
		return fmt.Errorf("sink check: what is %q? Write sink check or sink check -connect", strings.Join(args, " "))
	}
	return checkEnvironment(ctx, p, os.Environ(), *connect)
}

// checkEnvironment prints what the function understands of the environment and all
// there is to say about it. With connect it looks whether the sinks are there and may
// be used. It returns an error when there is a fault.
func checkEnvironment(ctx context.Context, p process, environ []string, connect bool) error {
	names := make([]string, len(environ))
	for i, variable := range environ {
		names[i], _, _ = strings.Cut(variable, "=")
	}
	found := function.Examine(p.getenv, names)
	var text strings.Builder
	for _, s := range found.Settings {
		fmt.Fprintf(&text, "%-20s  %s\n", s.Variable, s.Text)
	}
	for _, fault := range found.Faults {
		fmt.Fprintf(&text, "fault: %s\n", fault)
	}
	for _, w := range found.Warnings {
		fmt.Fprintf(&text, "warning: %s\n", w)
	}
	faults := len(found.Faults)
	if connect {
		for _, c := range found.Connect(ctx) {
			verdict := "ok"
			if c.Err != nil {
				verdict = c.Err.Error()
				faults++
			}
			fmt.Fprintf(&text, "connect: %s: %s: %s\n", c.Variable, c.Place, verdict)
		}
	}
	if _, err := io.WriteString(p.stdout, text.String()); err != nil {
		return err
	}
	summary := fmt.Sprintf("sink check: %s, %s", counted(faults, "fault"), counted(len(found.Warnings), "warning"))
	if faults > 0 {
		return errors.New(summary)
	}
	_, err := fmt.Fprintln(p.stdout, summary)
	return err
}

func counted(n int, noun string) string {
	switch n {
	case 0:
		return "no " + noun + "s"
	case 1:
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
