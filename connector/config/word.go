package config

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/aerosink/aerosink/connector/nearest"
)

// word returns the value of key, which must be one of words, in capitals or not.
func (s *section) word(key, absent string, words ...string) string {
	n, ok := s.scalar(key)
	if !ok {
		return absent
	}
	for _, word := range words {
		if strings.EqualFold(n.Value, word) {
			return word
		}
	}
	s.fault(key, "%q is none of %s%s", n.Value, strings.Join(words, ", "), hint(n.Value, words))
	return absent
}

// among reports whether the value of key is one of words, in capitals or not. So
// words are told that are known and refused, and that word should not offer.
func (s *section) among(key string, words ...string) bool {
	n := s.get(key)
	return !isNull(n) && n.Kind == yaml.ScalarNode && slices.ContainsFunc(words, func(word string) bool {
		return strings.EqualFold(n.Value, word)
	})
}

func hint(word string, known []string) string {
	if near := nearest.Name(word, known); near != "" {
		return fmt.Sprintf("; did you mean %s?", near)
	}
	return ""
}

// fewNames is how many names an error lists at most.
const fewNames = 5

// hintName is hint for names that users chose, of which it lists a few when none
// is near.
func hintName(name string, known []string) string {
	switch near := hint(name, known); {
	case near != "" || len(known) == 0:
		return near
	case len(known) > fewNames:
		return "; there are: " + strings.Join(known[:fewNames], ", ") + ", and others"
	}
	return "; there are: " + strings.Join(known, ", ")
}
