package config

import (
	"math"
	"strconv"
	"strings"
)

// size reads a number of bytes, as ESP has it, or a text such as 32MiB.
func (s *section) size(key string, absent, least, most int) int {
	n, ok := s.scalar(key)
	if !ok {
		return absent
	}
	i, ok := parseSize(n.Value)
	switch {
	case !ok:
		s.fault(key, "%q is no size; write a number of bytes or, for example, 32MiB", n.Value)
		return absent
	case i < least || i > most:
		s.fault(key, "%s is not between %d and %d bytes", n.Value, least, most)
		return absent
	}
	return i
}

// parseSize returns false when text is no whole number, of bytes or of KiB, MiB or
// GiB. More than can be counted is as much as can be.
func parseSize(text string) (int, bool) {
	digits, shift := text, 0
	for unit, by := range map[string]int{"KiB": 10, "MiB": 20, "GiB": 30} {
		if d, ok := strings.CutSuffix(text, unit); ok {
			digits, shift = strings.TrimSpace(d), by
		}
	}
	i, err := strconv.ParseInt(strings.ReplaceAll(digits, "_", ""), 10, 64)
	if err != nil {
		return 0, false
	}
	if i > math.MaxInt>>shift {
		return math.MaxInt, true
	}
	return int(i) << shift, true
}
