package config

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
)

// document collects what is found in it.
type document struct {
	folder           string // where relative paths start
	elsewhere        bool   // files are on another machine, and not looked at
	faults, warnings Faults
	notes            Faults
	asked            map[string]bool // patterns of the keys that were asked for

	addresses []address
	files     []tlsSection
	secrets   []string // paths
}

func (d *document) fault(path string, n *yaml.Node, what string, args ...any) {
	d.faults = append(d.faults, Fault{path, lineOf(n), fmt.Sprintf(what, args...)})
}

func (d *document) warn(path string, n *yaml.Node, what string, args ...any) {
	d.warnings = append(d.warnings, Fault{path, lineOf(n), fmt.Sprintf(what, args...)})
}

func (d *document) note(path string, n *yaml.Node, what string, args ...any) {
	d.notes = append(d.notes, Fault{path, lineOf(n), fmt.Sprintf(what, args...)})
}

func lineOf(n *yaml.Node) int {
	if n == nil {
		return 0
	}
	return n.Line
}

// examples are of the mappings that are easily taken for lists, by the last key of
// their pattern.
var examples = map[string]string{
	"destinations": "{NAME: {urls: [\"https://HOST/PATH\"]}}",
	"headers":      "{X-Team: data}",
	"namespaces":   "{NAME: {routing: {mode: skip}}}",
	"sets":         "{NAME: {routing: {mode: skip}}}",
	"map":          "{OLD: NEW}",
	"levels":       "{root: info}",
}

// mapping returns n as a section. Null is an empty one. The pattern is the path
// with * for names that users choose.
func (d *document) mapping(path, pattern string, n *yaml.Node) *section {
	n = resolve(n)
	s := &section{path: path, pattern: pattern, line: lineOf(n), doc: d, nodes: map[string]*yaml.Node{}, subs: map[string]*section{}}
	if isNull(n) {
		return s
	}
	if n.Kind != yaml.MappingNode {
		what := describe(n) + " where a mapping of keys to values should be"
		if example := examples[pattern[strings.LastIndex(pattern, ".")+1:]]; example != "" {
			what += ", for example " + example
		}
		d.fault(path, n, "%s", what)
		return s
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if s.nodes[key.Value] != nil {
			d.fault(join(path, key.Value), key, "the same key as on line %d; remove one", s.nodes[key.Value].Line)
			continue
		}
		s.nodes[key.Value] = value
		s.order = append(s.order, key.Value)
	}
	return s
}

func resolve(n *yaml.Node) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool { return n == nil || n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	return fmt.Sprintf("the value %q", n.Value)
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
