// Package nearest finds the name that was probably meant by a misspelled one.
package nearest

import (
	"strings"
	"unicode"
)

// Name returns the name in known that is most like name, or "" if none is near. Only
// letters and digits count. An abbreviation, such as gz, is near the shortest name that
// begins with it.
func Name(name string, known []string) string {
	name = letters(name)
	best, distance := "", 1+len(name)/3
	for _, k := range known {
		if len(name) > 1 && strings.HasPrefix(letters(k), name) && (best == "" || len(k) < len(best)) {
			best = k
		}
	}
	if best != "" {
		return best
	}
	for _, k := range known {
		if d := editDistance(name, letters(k)); d <= distance && (best == "" || d < distance) {
			best, distance = k, d
		}
	}
	return best
}

// Strict is like Name, but names of fewer than 5 letters must be the same, and one more
// letter may differ for each 8 letters of the known name. It is for lists of names, such as
// environment variables, most of which have nothing to do with the known ones.
func Strict(name string, known []string) string {
	name = letters(name)
	best, distance := "", -1
	for _, k := range known {
		word := letters(k)
		if d := editDistance(name, word); d <= (len(word)+3)/8 && (distance < 0 || d < distance) {
			best, distance = k, d
		}
	}
	return best
}

// letters returns the letters and digits of name, in lower case.
func letters(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, name)
}

// editDistance returns the Levenshtein distance of a and b in bytes.
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
