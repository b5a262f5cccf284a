package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/aerosink/aerosink/connector/cli"
)

// printCheck prints the effective settings, and the errors and warnings about the
// environment. With connect it also checks whether the sinks exist and may be used. It
// returns an error if it has printed any.
func (p Program) printCheck(ctx context.Context, connect bool, stdout io.Writer) error {
	names := make([]string, len(p.Environ))
	for i, variable := range p.Environ {
		names[i], _, _ = strings.Cut(variable, "=")
	}
	found := p.Environment.Examine(names)
	var text strings.Builder
	for _, s := range found.Values {
		fmt.Fprintf(&text, "%-20s  %s\n", s.Variable, s.Text)
	}
	for _, err := range found.Errors {
		fmt.Fprintf(&text, "error: %s\n", err)
	}
	for _, w := range found.Warnings {
		fmt.Fprintf(&text, "warning: %s\n", w)
	}
	failed, warned := len(found.Errors), len(found.Warnings)
	if connect {
		for _, c := range found.Connect(ctx) {
			result := "ok"
			switch {
			case c.Err != nil:
				result = c.Err.Error()
				failed++
			case c.Warning != "":
				result = "warning: " + c.Warning
				warned++
			}
			fmt.Fprintf(&text, "connect: %s: %s: %s\n", c.Variable, c.URL, result)
		}
	}
	if _, err := io.WriteString(stdout, text.String()); err != nil {
		return err
	}
	summary := cli.Count(failed, "error") + ", " + cli.Count(warned, "warning")
	if failed > 0 {
		return errors.New(summary)
	}
	_, err := fmt.Fprintf(stdout, "%s check: %s\n", p.Name, summary)
	return err
}
