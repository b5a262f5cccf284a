package config

import (
	"fmt"
	"slices"
	"strings"
)

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

func (f Faults) sorted() Faults {
	slices.SortStableFunc(f, func(a, b Fault) int { return a.Line - b.Line })
	return f
}
