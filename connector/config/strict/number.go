package strict

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// ParseInteger parses a decimal integer, which may have underscores between its digits. It
// returns false if text is not one. One that is too large or too small for an int64 becomes
// the largest or the smallest.
func ParseInteger(text string) (int64, bool) {
	i, err := strconv.ParseInt(withoutUnderscores(text), 10, 64)
	return i, err == nil || errors.Is(err, strconv.ErrRange)
}

func isInteger(text string) bool {
	_, ok := ParseInteger(text)
	return ok
}

// withoutUnderscores returns text without the underscores between digits.
func withoutUnderscores(text string) string {
	isDigit := func(b byte) bool { return '0' <= b && b <= '9' }
	var kept strings.Builder
	for i := 0; i < len(text); i++ {
		end := i
		for end < len(text) && text[end] == '_' {
			end++
		}
		if end > i && i > 0 && isDigit(text[i-1]) && end < len(text) && isDigit(text[end]) {
			i = end
		}
		kept.WriteByte(text[i])
	}
	return kept.String()
}

// ParseSize parses an integer number of bytes, KiB, MiB or GiB. It returns false if text is
// not one. A size that is too large for an int becomes the largest int.
func ParseSize(text string) (int, bool) {
	digits, shift := text, 0
	for unit, by := range map[string]int{"KiB": 10, "MiB": 20, "GiB": 30} {
		if d, ok := strings.CutSuffix(text, unit); ok {
			digits, shift = strings.TrimSpace(d), by
		}
	}
	i, ok := ParseInteger(digits)
	switch {
	case !ok:
		return 0, false
	case i > math.MaxInt>>shift:
		return math.MaxInt, true
	case i < math.MinInt>>shift:
		return math.MinInt, true
	}
	return int(i) << shift, true
}
