package config

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v4"
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
	if near := nearest(word, known); near != "" {
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

// nearest returns the word of known that is most like key, and "" when none is
// near. Only letters and digits count. A key cut short, such as gz, is near the
// shortest word that it begins.
func nearest(key string, known []string) string {
	key = letters(key)
	best, distance := "", 1+len(key)/3
	for _, word := range known {
		if len(key) > 1 && strings.HasPrefix(letters(word), key) && (best == "" || len(word) < len(best)) {
			best = word
		}
	}
	if best != "" {
		return best
	}
	for _, word := range known {
		if d := editDistance(key, letters(word)); d <= distance && (best == "" || d < distance) {
			best, distance = word, d
		}
	}
	return best
}

// letters returns the letters and digits of word, in small letters.
func letters(word string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, word)
}

// editDistance counts the letters to insert, delete or replace (Levenshtein).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
