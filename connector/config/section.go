package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// section reads one mapping of the document. It remembers which keys it was asked
// for: those are the known ones, and any other is a fault.
type section struct {
	path    string
	pattern string // of path
	names   bool   // its keys are names that users choose
	line    int
	doc     *document
	nodes   map[string]*yaml.Node
	order   []string
	asked   []string
	subs    map[string]*section
}

// has reports whether key is there and not null.
func (s *section) has(key string) bool { return !isNull(s.get(key)) }

// hollow reports whether key is there and holds nothing, as where a template had no
// value for it, and makes that a fault. The text instead says what to write.
func (s *section) hollow(key, instead string) bool {
	n := s.get(key)
	if n == nil || n.Kind == yaml.MappingNode || len(n.Content) > 0 || n.Value != "" && !isNull(n) {
		return false
	}
	s.fault(key, "empty; %s, or leave the key out", instead)
	return true
}

func (s *section) get(key string) *yaml.Node {
	s.asked = append(s.asked, key)
	s.doc.asked[s.patternOf(key)] = true
	return resolve(s.nodes[key])
}

// fault reports what is wrong with the value of key, or with its absence.
func (s *section) fault(key, what string, args ...any) {
	s.doc.fault(join(s.path, key), s.at(key), what, args...)
}

// warn says what is noteworthy about the value of key.
func (s *section) warn(key, what string, args ...any) {
	s.doc.warn(join(s.path, key), s.at(key), what, args...)
}

// note says what the absence of key means.
func (s *section) note(key, what string, args ...any) {
	s.doc.note(join(s.path, key), s.at(key), what, args...)
}

func (s *section) patternOf(key string) string {
	if s.names {
		key = "*"
	}
	return join(s.pattern, key)
}

// sub returns the mapping under key, the same each time.
func (s *section) sub(key string) *section {
	n := s.get(key)
	if s.subs[key] == nil {
		s.subs[key] = s.doc.mapping(join(s.path, key), s.patternOf(key), n)
	}
	return s.subs[key]
}

// dictionary returns the mapping under key, whose own keys are names.
func (s *section) dictionary(key string) *section {
	d := s.sub(key)
	d.names = true
	return d
}

// shorthand returns the mapping under key. A single value there is short for a
// mapping that has it under inner.
func (s *section) shorthand(key, inner string) *section {
	n := s.get(key)
	if n == nil || n.Kind != yaml.ScalarNode || isNull(n) {
		return s.sub(key)
	}
	return &section{
		path: join(s.path, key), pattern: s.patternOf(key), line: n.Line, doc: s.doc,
		nodes: map[string]*yaml.Node{inner: n}, order: []string{inner}, subs: map[string]*section{},
	}
}

// scalar returns the value of key, and false when it is absent or none.
func (s *section) scalar(key string) (*yaml.Node, bool) {
	n := s.get(key)
	if isNull(n) {
		return nil, false
	}
	if n.Kind != yaml.ScalarNode {
		s.fault(key, "%s where a single value should be", describe(n))
		return nil, false
	}
	return n, true
}

func (s *section) text(key, absent string) string {
	if n, ok := s.scalar(key); ok {
		return n.Value
	}
	return absent
}

func (s *section) boolean(key string, absent bool) bool {
	n, ok := s.scalar(key)
	if !ok {
		return absent
	}
	b, err := strconv.ParseBool(n.Value)
	if err != nil || n.Tag != "!!bool" {
		s.fault(key, "%q is neither true nor false", n.Value)
		return absent
	}
	return b
}

func (s *section) integer(key string, absent, least, most int) int {
	n, ok := s.scalar(key)
	if !ok {
		return absent
	}
	return s.parseInteger(key, n, absent, least, most)
}

func (s *section) parseInteger(key string, n *yaml.Node, absent, least, most int) int {
	i, err := strconv.ParseInt(strings.ReplaceAll(n.Value, "_", ""), 10, 64)
	if err != nil {
		s.doc.fault(join(s.path, key), n, "%q is no whole number", n.Value)
		return absent
	}
	if i < int64(least) || i > int64(most) {
		s.doc.fault(join(s.path, key), n, "%d is not between %d and %d", i, least, most)
		return absent
	}
	return int(i)
}

// list returns the elements of key; a single value is a list of one.
func (s *section) list(key string) []*yaml.Node {
	n := s.get(key)
	switch {
	case isNull(n):
		return nil
	case n.Kind == yaml.SequenceNode:
		for i := range n.Content {
			n.Content[i] = resolve(n.Content[i])
		}
		return n.Content
	}
	return []*yaml.Node{n}
}

// texts returns the elements of key, which must be single values.
func (s *section) texts(key string) []string {
	var texts []string
	for i, n := range s.list(key) {
		if n.Kind != yaml.ScalarNode || isNull(n) {
			s.doc.fault(fmt.Sprintf("%s[%d]", join(s.path, key), i), n, "%s where a single value should be", describe(n))
			continue
		}
		texts = append(texts, n.Value)
	}
	return texts
}

// ignored warns that key is accepted and means nothing here.
func (s *section) ignored(key, why string) {
	if s.has(key) {
		s.warn(key, "ignored: %s", why)
	}
}

// refused reports that key is known and cannot be used.
func (s *section) refused(key, why string) {
	if s.has(key) {
		s.fault(key, "%s", why)
	}
}

// end reports the keys that nobody asked for.
func (s *section) end() {
	for _, key := range s.order {
		if !slices.Contains(s.asked, key) {
			s.fault(key, "unknown key%s", hint(key, s.asked))
		}
	}
}

// at returns where the value of key is, or s itself.
func (s *section) at(key string) *yaml.Node {
	if n := s.nodes[key]; n != nil {
		return n
	}
	return s.node()
}

// node returns where s is.
func (s *section) node() *yaml.Node { return &yaml.Node{Line: s.line} }
