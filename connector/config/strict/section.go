package strict

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/aerosink/aerosink/connector/nearest"
)

// Section reads one mapping of the document. It remembers which keys it was asked for, since
// any other key is an error.
type Section struct {
	Path    string
	pattern string // of Path
	names   bool   // its keys are names that users choose
	Line    int
	Doc     *Document
	Nodes   map[string]*yaml.Node
	Keys    []string
	asked   []string
	subs    map[string]*Section
}

// add adds the keys of the mapping n, and after them those of the mappings that n merges.
// within has the mappings that n is merged into, from the outermost; their keys take
// precedence.
func (s *Section) add(n *yaml.Node, within []*yaml.Node) {
	var merges []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := Resolve(n.Content[i]), n.Content[i+1]
		before := s.Nodes[key.Value]
		switch {
		case key.Kind == yaml.MappingNode: // {{ .Name }}
			s.Doc.Error(s.Path, key, "a template that was not filled in, want a key")
		case key.Kind != yaml.ScalarNode:
			s.Doc.Error(s.Path, key, "%s, want a key", Describe(key))
		case key.Tag == mergeTag && len(merges) > 0:
			s.Doc.Error(Join(s.Path, key.Value), key, "duplicate key, also on line %d; merge several mappings with a list: [*a, *b]", merges[0].Line)
		case key.Tag == mergeTag:
			merges = append(merges, value)
		case before == nil:
			s.Nodes[key.Value] = value
			s.Keys = append(s.Keys, key.Value)
		case len(within) == 0:
			s.Doc.Error(Join(s.Path, key.Value), key, "duplicate key, also on line %d; remove one", before.Line)
		}
	}
	for _, merged := range merges {
		s.merge(merged, append(within, n))
	}
}

// mergeTag is the tag of the key <<, unless it is quoted.
const mergeTag = "!!merge"

// merge adds the keys of the value of a merge key: a mapping, or a list of them, of which
// the first takes precedence.
func (s *Section) merge(value *yaml.Node, within []*yaml.Node) {
	path, mappings, want := Join(s.Path, "<<"), []*yaml.Node{value}, "a mapping or a list of mappings"
	if n := Resolve(value); n.Kind == yaml.SequenceNode {
		mappings, want = n.Content, "a mapping"
	}
	for i, m := range mappings {
		m = Resolve(m)
		at := path
		if want == "a mapping" {
			at = fmt.Sprintf("%s[%d]", path, i)
		}
		switch {
		case IsNull(m):
		case m.Kind != yaml.MappingNode:
			s.Doc.Error(at, m, "%s, want %s, for example *NAME", Describe(m), want)
		case slices.Contains(within, m):
			s.Doc.Error(at, value, "a mapping that merges itself; remove the key")
		default:
			s.add(m, within)
		}
	}
}

// Has reports whether key is present and not null.
func (s *Section) Has(key string) bool { return !IsNull(s.Node(key)) }

// CheckEmpty reports an error, and returns true, if key is present but empty, for example
// because a template had no value for it. instead says what to write.
func (s *Section) CheckEmpty(key, instead string) bool {
	n := s.Node(key)
	if n == nil || n.Kind == yaml.MappingNode || len(n.Content) > 0 || n.Value != "" && !IsNull(n) {
		return false
	}
	s.Error(key, "empty; %s, or leave the key out", instead)
	return true
}

// Node returns the node under key, nil if there is none.
func (s *Section) Node(key string) *yaml.Node {
	s.asked = append(s.asked, key)
	s.Doc.Known[s.PatternOf(key)] = true
	return Resolve(s.Nodes[key])
}

// Error reports an error in the value of key, or because it is missing.
func (s *Section) Error(key, what string, args ...any) {
	s.Doc.Error(Join(s.Path, key), s.at(key), what, args...)
}

// Warn reports something about the value of key that is probably not meant.
func (s *Section) Warn(key, what string, args ...any) {
	s.Doc.Warn(Join(s.Path, key), s.at(key), what, args...)
}

// Note says something about the value of key, or its absence, that a reader may not expect.
func (s *Section) Note(key, what string, args ...any) {
	s.Doc.Note(Join(s.Path, key), s.at(key), what, args...)
}

// Valid reports whether there is no error about the values of keys. What is compared with a
// value that was refused says nothing.
func (s *Section) Valid(keys ...string) bool {
	return !slices.ContainsFunc(keys, func(key string) bool { return s.Doc.HasErrors(Join(s.Path, key)) })
}

// PatternOf returns the path of key, with * for names that users choose.
func (s *Section) PatternOf(key string) string {
	if s.names {
		key = "*"
	}
	return Join(s.pattern, key)
}

// Sub returns the mapping under key, the same one each time.
func (s *Section) Sub(key string) *Section {
	n := s.Node(key)
	if s.subs[key] == nil {
		s.subs[key] = s.Doc.Mapping(Join(s.Path, key), s.PatternOf(key), n)
	}
	return s.subs[key]
}

// Dictionary returns the mapping under key, whose own keys are names that users choose.
func (s *Section) Dictionary(key string) *Section {
	d := s.Sub(key)
	d.names = true
	return d
}

// Shorthand returns the mapping under key. A single value is short for a mapping with that
// value under inner.
func (s *Section) Shorthand(key, inner string) *Section {
	n := s.Node(key)
	if n == nil || n.Kind != yaml.ScalarNode || IsNull(n) {
		return s.Sub(key)
	}
	return &Section{
		Path: Join(s.Path, key), pattern: s.PatternOf(key), Line: n.Line, Doc: s.Doc,
		Nodes: map[string]*yaml.Node{inner: n}, Keys: []string{inner}, subs: map[string]*Section{},
	}
}

// Scalar returns the value of key, and false if it is absent or not a single value.
func (s *Section) Scalar(key string) (*yaml.Node, bool) {
	n := s.Node(key)
	if IsNull(n) {
		return nil, false
	}
	if n.Kind != yaml.ScalarNode {
		s.Error(key, "%s, want a single value", Describe(n))
		return nil, false
	}
	return n, true
}

// Text returns the value of key, or absent if there is none.
func (s *Section) Text(key, absent string) string {
	if n, ok := s.Scalar(key); ok {
		s.checkPlaceholder(Join(s.Path, key), n)
		return n.Value
	}
	return absent
}

// Verbatim is like Text, for a value in which ${NAME} may have a meaning.
func (s *Section) Verbatim(key, absent string) string {
	if n, ok := s.Scalar(key); ok {
		return n.Value
	}
	return absent
}

// Bool returns the value of key, which must be true or false, with or without quotes.
func (s *Section) Bool(key string, absent bool) bool {
	n, ok := s.Scalar(key)
	if !ok {
		return absent
	}
	b, ok := ParseBool(n.Value)
	if !ok {
		s.Error(key, "%q is not true or false", n.Value)
		return absent
	}
	return b
}

// ParseBool parses true or false as YAML writes them. It returns false if text is neither.
func ParseBool(text string) (value, ok bool) {
	switch text {
	case "true", "True", "TRUE":
		return true, true
	case "false", "False", "FALSE":
		return false, true
	}
	return false, false
}

// Int returns the value of key, which must be an integer from least to most.
func (s *Section) Int(key string, absent, least, most int) int {
	n, ok := s.Scalar(key)
	if !ok {
		return absent
	}
	return s.ParseInt(key, n, absent, least, most)
}

// ParseInt parses n, which is the value of key or an element of it.
func (s *Section) ParseInt(key string, n *yaml.Node, absent, least, most int) int {
	i, ok := ParseInteger(n.Value)
	if !ok {
		s.Doc.Error(Join(s.Path, key), n, "%q is not an integer", n.Value)
		return absent
	}
	if i < int64(least) || i > int64(most) {
		s.Doc.Error(Join(s.Path, key), n, "%s is not between %d and %d", n.Value, least, most)
		return absent
	}
	return int(i)
}

// List returns the elements of key. A single value is a list of one.
func (s *Section) List(key string) []*yaml.Node {
	n := s.Node(key)
	switch {
	case IsNull(n):
		return nil
	case n.Kind == yaml.SequenceNode:
		for i := range n.Content {
			n.Content[i] = Resolve(n.Content[i])
		}
		return n.Content
	}
	return []*yaml.Node{n}
}

// Texts returns the elements of key, which must be single values.
func (s *Section) Texts(key string) []string {
	var texts []string
	for i, n := range s.List(key) {
		if n.Kind != yaml.ScalarNode || IsNull(n) {
			s.Doc.Error(fmt.Sprintf("%s[%d]", Join(s.Path, key), i), n, "%s, want a single value", Describe(n))
			continue
		}
		s.checkPlaceholder(fmt.Sprintf("%s[%d]", Join(s.Path, key), i), n)
		texts = append(texts, n.Value)
	}
	return texts
}

// Ignored warns that key is accepted but has no effect.
func (s *Section) Ignored(key, why string) {
	if s.Has(key) {
		s.Warn(key, "ignored: %s", why)
	}
}

// Refused reports an error if key, which is known but cannot be used, is present.
func (s *Section) Refused(key, why string) {
	if s.Has(key) {
		s.Error(key, "%s", why)
	}
}

// End reports the keys that were not asked for.
func (s *Section) End() {
	for _, key := range s.Keys {
		if !slices.Contains(s.asked, key) {
			s.Error(key, "unknown key%s", Hint(key, s.asked))
		}
	}
}

// at returns the value of key, or an element of it if key ends in an index. If there is none
// it returns the position of s.
func (s *Section) at(key string) *yaml.Node {
	if n := s.Nodes[key]; n != nil {
		return n
	}
	list, index, _ := strings.Cut(strings.TrimSuffix(key, "]"), "[")
	n := Resolve(s.Nodes[list])
	if i, err := strconv.Atoi(index); err == nil && n != nil {
		if n.Kind == yaml.SequenceNode && i < len(n.Content) {
			return n.Content[i]
		}
		return n
	}
	return s.Position()
}

// Position returns the position of s.
func (s *Section) Position() *yaml.Node { return &yaml.Node{Line: s.Line} }

// Word returns the value of key, which must be one of words, in upper or lower case.
func (s *Section) Word(key, absent string, words ...string) string {
	n, ok := s.Scalar(key)
	if !ok {
		return absent
	}
	for _, word := range words {
		if strings.EqualFold(n.Value, word) {
			return word
		}
	}
	s.Error(key, "invalid value %q: want one of %s%s", n.Value, strings.Join(words, ", "), Hint(n.Value, words))
	return absent
}

// IsOneOf reports whether the value of key is one of words, in upper or lower case. It is for
// words that are known but refused, so that Word does not offer them.
func (s *Section) IsOneOf(key string, words ...string) bool {
	n := s.Node(key)
	return !IsNull(n) && n.Kind == yaml.ScalarNode && slices.ContainsFunc(words, func(word string) bool {
		return strings.EqualFold(n.Value, word)
	})
}

// Hint returns "; did you mean X?", or "" if no known word is near.
func Hint(word string, known []string) string {
	if near := nearest.Name(word, known); near != "" {
		return fmt.Sprintf("; did you mean %s?", near)
	}
	return ""
}

// maxNames is the most names that an error lists.
const maxNames = 5

// HintName is like Hint, for names that users choose. If none is near it lists a few.
func HintName(name string, known []string) string {
	switch near := Hint(name, known); {
	case near != "" || len(known) == 0:
		return near
	case len(known) > maxNames:
		return "; the known ones are " + strings.Join(known[:maxNames], ", ") + " and others"
	}
	return "; the known ones are " + strings.Join(known, ", ")
}

// Duration returns the value of key: a number of units, as ESP has it, or a text such as
// 1500ms.
func (s *Section) Duration(key string, absent, least, most, unit time.Duration) time.Duration {
	n, ok := s.Scalar(key)
	if !ok {
		return absent
	}
	d, ok := parseDuration(n.Value, least, most, unit)
	switch {
	case !ok:
		s.Error(key, "invalid duration %q: want a number of %s or, for example, 1500ms", n.Value, unitName(unit))
		return absent
	case d < least || d > most:
		s.Error(key, "%s is not between %s and %s", n.Value, least, most)
		return absent
	}
	return d
}

// parseDuration parses a number of units, or a text such as 1500ms. It returns false if text
// is neither. A number that is too large for a duration becomes one outside of least to most.
func parseDuration(text string, least, most, unit time.Duration) (time.Duration, bool) {
	i, ok := ParseInteger(text)
	switch {
	case !ok:
		d, err := time.ParseDuration(withoutUnderscores(text))
		return d, err == nil
	case i > int64(most/unit):
		return most + 1, true
	case i < int64(least/unit):
		return least - 1, true
	}
	return time.Duration(i) * unit, true
}

// unitName returns the name of a unit of Duration in the plural.
func unitName(unit time.Duration) string {
	if unit == time.Second {
		return "seconds"
	}
	return "milliseconds"
}

// Timeout is like Duration with milliseconds as the unit. It warns about a number below
// floor, which is probably in seconds.
func (s *Section) Timeout(key string, absent, least, most, floor time.Duration) time.Duration {
	d := s.Duration(key, absent, least, most, time.Millisecond)
	if n, ok := s.Scalar(key); ok && d > 0 && d < floor && isInteger(n.Value) {
		s.Warn(key, "%s is %s; if seconds are meant write %ss", n.Value, d, n.Value)
	}
	return d
}

// Seconds is like Duration with seconds as the unit. It warns about a large number, which is
// probably in milliseconds.
func (s *Section) Seconds(key string, absent, least, most time.Duration) time.Duration {
	d := s.Duration(key, absent, least, most, time.Second)
	if n, ok := s.Scalar(key); ok && d >= 1000*time.Second && isInteger(n.Value) {
		s.Warn(key, "%s is %s; if milliseconds are meant write %sms", n.Value, d, n.Value)
	}
	return d
}

// Size returns the value of key: a number of bytes, as ESP has it, or a text such as 32MiB.
func (s *Section) Size(key string, absent, least, most int) int {
	n, ok := s.Scalar(key)
	if !ok {
		return absent
	}
	i, ok := ParseSize(n.Value)
	switch {
	case !ok:
		s.Error(key, "invalid size %q: want a number of bytes or, for example, 32MiB", n.Value)
		return absent
	case i < least || i > most:
		s.Error(key, "%s is not between %d and %d bytes", n.Value, least, most)
		return absent
	}
	return i
}
