package strict

import (
	"fmt"
	"slices"
	"strings"
)

// Findings are the errors, warnings and notes about a document, each in the order of the
// file.
type Findings struct {
	Errors   Errors // if there are any, the document is refused
	Warnings Errors // accepted, but probably not meant
	Notes    Errors // probably not what a reader expects
}

// Error is an error, a warning or a note.
type Error struct {
	Path string // for example destinations.sink.urls[0]
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

// Errors are errors, warnings or notes, in the order of the file.
type Errors []Error

// Error returns the errors, one a line.
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
