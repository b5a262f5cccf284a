package config

import (
	"fmt"
	"slices"
	"strings"
)

// Findings are all there is to say about a configuration, each in the order of
// the file.
type Findings struct {
	Faults   Faults // what is wrong with it; with any it is refused
	Warnings Faults // as Config has them
	Notes    Faults // what differs from ESP and was not said
}

// Fault is one thing that is wrong with a configuration, or not as its writer
// may think.
type Fault struct {
	Path string // as in destinations.sink.urls[0]
	Line int    // in the file; 0 when the fault has none
	What string // says also what to do
}

// String returns "line 12: destinations.sink.urls[0]: no URL".
func (f Fault) String() string {
	var s strings.Builder
	if f.Line > 0 {
		fmt.Fprintf(&s, "line %d: ", f.Line)
	}
	if f.Path != "" {
		fmt.Fprintf(&s, "%s: ", f.Path)
	}
	return s.String() + f.What
}

// Faults are all that is wrong with a configuration, in the order of the file.
type Faults []Fault

// Error lists the faults, one a line.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i := range f {
		lines[i] = f[i].String()
	}
	return strings.Join(lines, "\n")
}

// findings returns what was found. Of a value that is refused only the fault counts.
func (d *document) findings() Findings {
	warnings := slices.DeleteFunc(slices.Clone(d.warnings), func(w Fault) bool {
		return slices.ContainsFunc(d.faults, func(f Fault) bool { return f.Path == w.Path })
	})
	return Findings{d.faults.sorted(), warnings.sorted(), d.notes.sorted()}
}

func (f Faults) sorted() Faults {
	slices.SortStableFunc(f, func(a, b Fault) int { return a.Line - b.Line })
	return f
}
