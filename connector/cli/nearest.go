package cli

import (
	"strings"
	"unicode"
)

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
