// Package strict reads YAML strictly: every key must be one that the caller asks for, every
// value must have the right type, and every error is reported with its path, its line and
// what to do. The package has no keys of its own.
//
//  1. [Document.Parse] parses the text and returns the top [Section].
//  2. The caller asks each section for its keys (section.go), and calls End, which reports
//     the keys that nobody asked for.
//  3. [Document.Findings] returns all errors, warnings and notes.
package strict

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Document is one YAML document, with the errors, warnings and notes about it.
type Document struct {
	// Known has the patterns of the keys that were asked for, with * for names that users
	// choose.
	Known map[string]bool

	// Examples has examples of mappings that are easily mistaken for lists, by the last
	// key of their pattern. Errors show them.
	Examples map[string]string

	// Empty ends the error about an empty file; it says what the file needs.
	Empty string

	errors, warnings, notes Errors
}

// Parse parses text and returns its mapping. It returns nil, and reports an error, if text
// is not one YAML document.
func (d *Document) Parse(text []byte) *Section {
	d.Known = map[string]bool{}
	var root yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(text))
	err := dec.Decode(&root)
	switch {
	case errors.Is(err, io.EOF):
		d.Error("", nil, "the file is empty; %s", d.Empty)
		return nil
	case err != nil:
		d.syntaxError(text, err)
		return nil
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		d.Error("", nil, "more than one YAML document; want one")
		return nil
	}
	return d.Mapping("", "", root.Content[0])
}

// syntaxError reports why text is not YAML. The parser's own errors do not name a tab in
// the indentation, which YAML forbids.
func (d *Document) syntaxError(text []byte, err error) {
	var where *yaml.LoadError
	if errors.As(err, &where) && where.Mark.Line > 0 {
		lines := bytes.Split(text, []byte("\n"))
		line := lines[min(where.Mark.Line, len(lines))-1]
		if indentation := line[:len(line)-len(bytes.TrimLeft(line, " \t"))]; bytes.ContainsRune(indentation, '\t') {
			d.Error("", &yaml.Node{Line: where.Mark.Line}, "not YAML: a tab in the indentation; write spaces")
			return
		}
		d.Error("", &yaml.Node{Line: where.Mark.Line}, "not YAML: %s", where.Message)
		return
	}
	d.Error("", nil, "not YAML: %v", err)
}

// ErrorCount returns the number of errors so far.
func (d *Document) ErrorCount() int { return len(d.errors) }

// HasErrors reports whether there is an error about the value at path, or inside it.
func (d *Document) HasErrors(path string) bool {
	return slices.ContainsFunc(d.errors, func(e Error) bool {
		inner, ok := strings.CutPrefix(e.Path, path)
		return ok && (inner == "" || inner[0] == '.' || inner[0] == '[')
	})
}

// Error reports an error at a path and node. The node may be nil. The text should also say
// what to do.
func (d *Document) Error(path string, n *yaml.Node, what string, args ...any) {
	text := fmt.Sprintf(what, args...)
	if name := Placeholder(n); name != "" {
		text += "; nothing is substituted for " + name
	}
	d.errors = append(d.errors, Error{path, lineOf(n), text})
}

// Warn reports something that is accepted but probably not meant. It reports the same thing
// about the same value only once.
func (d *Document) Warn(path string, n *yaml.Node, what string, args ...any) {
	w := Error{path, lineOf(n), fmt.Sprintf(what, args...)}
	if !slices.Contains(d.warnings, w) {
		d.warnings = append(d.warnings, w)
	}
}

// Note reports something that differs from what a reader may expect.
func (d *Document) Note(path string, n *yaml.Node, what string, args ...any) {
	d.notes = append(d.notes, Error{path, lineOf(n), fmt.Sprintf(what, args...)})
}

func lineOf(n *yaml.Node) int {
	if n == nil {
		return 0
	}
	return n.Line
}

// Mapping returns the mapping n as a section. Null is an empty section. The pattern is the
// path, with * for names that users choose.
func (d *Document) Mapping(path, pattern string, n *yaml.Node) *Section {
	n = Resolve(n)
	s := &Section{Path: path, pattern: pattern, Line: lineOf(n), Doc: d, Nodes: map[string]*yaml.Node{}, subs: map[string]*Section{}}
	if IsNull(n) {
		return s
	}
	if n.Kind != yaml.MappingNode {
		what := Describe(n) + ", want a mapping of keys to values"
		if example := d.Examples[pattern[strings.LastIndex(pattern, ".")+1:]]; example != "" {
			what += ", for example " + example
		}
		d.Error(path, n, "%s", what)
		return s
	}
	s.add(n, nil)
	return s
}

// Resolve returns the node that an alias stands for.
func Resolve(n *yaml.Node) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// IsNull reports whether n is absent or null.
func IsNull(n *yaml.Node) bool { return n == nil || n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// Describe describes a node for an error.
func Describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		if len(n.Content) > 0 && n.Content[0].Kind == yaml.MappingNode { // {{ .Name }}
			return "a template that was not filled in"
		}
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	return fmt.Sprintf("the value %q", n.Value)
}

// Join returns the path of a key below a path.
func Join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// Findings returns all errors, warnings and notes, without the warnings about values that
// have an error.
func (d *Document) Findings() Findings {
	warnings := slices.DeleteFunc(slices.Clone(d.warnings), func(w Error) bool {
		return slices.ContainsFunc(d.errors, func(f Error) bool { return f.Path == w.Path })
	})
	return Findings{d.errors.sorted(), warnings.sorted(), d.notes.sorted()}
}
