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

// Screen says how text may be written. The zero Screen is plain text in lines of any
// length, as for a file or a pipe.
type Screen struct {
	Columns int  // 0 for lines of any length
	Color   bool // escape sequences may be written
}

// ScreenOf returns the Screen of w. Only a terminal has columns and color, and no color if
// NO_COLOR is set (https://no-color.org) or TERM is dumb.
func ScreenOf(w io.Writer) Screen {
	if !IsTerminal(w) {
		return Screen{}
	}
	var s Screen
	if columns, _, err := term.GetSize(int(w.(*os.File).Fd())); err == nil { //nolint:forcetypeassert // a terminal is a file
		s.Columns = columns
	}
	s.Color = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return s
}

// Count returns n and a noun, in the plural unless n is 1: "no errors", "1 error" or
// "2 errors".
func Count(n int, noun string) string {
	if n == 0 {
		return "no " + noun + "s"
	}
	return plural.Of(n, noun)
}
