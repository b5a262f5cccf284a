package strict

import (
	"fmt"
	"slices"
	"strings"
)

// Findings is everything there is to say about a document, each in the order of the file.
type Findings struct {
	Errors   Errors // with any the document is refused
	Warnings Errors // accepted, but probably not meant
	Notes    Errors // what a reader may not expect
}

// Error is one finding.
type Error struct {
	Path string // as in destinations.sink.urls[0]
	Line int    // in the file; 0 if it has none
	Text string // also says what to do
}

// String returns "line 12: destinations.sink.urls[0]: invalid URL".
func (f Error) String() string {
	var s strings.Builder
	if f.Line > 0 {
		fmt.Fprintf(&s, "line %d: ", f.Line)
	}
	if f.Path != "" {
		fmt.Fprintf(&s, "%s: ", f.Path)
	}
	return s.String() + f.Text
}

// Errors are findings, in the order of the file.
type Errors []Error

// Error lists the findings, one a line.
func (f Errors) Error() string {
	lines := make([]string, len(f))
	for i := range f {
		lines[i] = f[i].String()
	}
	return strings.Join(lines, "\n")
}

// sorted returns the errors in the order of the file.
func (f Errors) sorted() Errors {
	slices.SortStableFunc(f, func(a, b Error) int { return a.Line - b.Line })
	return f
}
