package cli

import (
	"io"
	"os"

	"golang.org/x/term"

	"github.com/aerosink/aerosink/connector/plural"
)

// IsTerminal reports whether w writes to a terminal.
func IsTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// Count returns n and a noun, in the plural unless n is 1: "no errors", "1 error" or
// "2 errors".
func Count(n int, noun string) string {
	if n == 0 {
		return "no " + noun + "s"
	}
	return plural.Of(n, noun)
}
