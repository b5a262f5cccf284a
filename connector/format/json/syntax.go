package json

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/aerosink/aerosink/connector/format"
)

// notJSON returns the error for bytes at offset at of text, which is at offset base of the
// request body. It says what they are, as far as common mistakes go, and never quotes
// them.
func notJSON(text []byte, at, base int) error {
	if cause := mistakeAt(text, at); cause != "" {
		return format.ErrorAt(base+at, "not JSON: %s", cause)
	}
	return format.ErrorAt(base+at, "not JSON")
}

// mistakeAt returns what is at an offset where JSON has something else; "" if it is none
// of the common mistakes.
func mistakeAt(text []byte, at int) string {
	rest := text[at:]
	switch {
	case len(rest) == 0:
		return ""
	case bytes.HasPrefix(rest, []byte("\ufeff")):
		return "a byte order mark; send JSON without one"
	case isUTF16(text):
		return "UTF-16; want UTF-8"
	case invalidRune(rest):
		return "bytes that are not UTF-8"
	}
	return asciiMistake(bytes.TrimRight(text[:at], whiteSpace), rest)
}

// isUTF16 reports whether text begins with the byte order mark of UTF-16, or with a bracket
// in it.
func isUTF16(text []byte) bool {
	if len(text) < 2 {
		return false
	}
	switch first, second := text[0], text[1]; {
	case first == 0:
		return second == '{' || second == '['
	case second == 0:
		return first == '{' || first == '['
	default:
		return first == 0xff && second == 0xfe || first == 0xfe && second == 0xff
	}
}

func invalidRune(b []byte) bool {
	r, size := utf8.DecodeRune(b)
	return r == utf8.RuneError && size == 1
}

// asciiMistake is mistakeAt for rest, which begins with a character of ASCII. What precedes
// it does not end in white space.
func asciiMistake(before, rest []byte) string {
	last := byte(0)
	if len(before) > 0 {
		last = before[len(before)-1]
	}
	switch c := rest[0]; {
	case c == 0:
		return "a NUL byte"
	case c < ' ':
		return "a control character that is not escaped"
	case c == '\\' && isSurrogate(rest):
		return "a lone surrogate, which is half of a character"
	case c == '\\':
		return "an unknown escape sequence"
	case (c == '}' || c == ']') && last == ',':
		return "a comma before the end of an object or array"
	case c == ',' && (last == ',' || last == '[' || last == '{'):
		return "a comma after no value"
	case c == ',' && (last == '}' || last == ']'):
		return "a comma between values that are not in an array"
	case c == '\'':
		return "single quotes"
	case c == '/', c == '#':
		return "a comment"
	case bytes.HasPrefix(rest, []byte("NaN")), bytes.HasPrefix(rest, []byte("Infinity")):
		return `NaN or Infinity, which JSON has no numbers for; in a bin of type float it is a string`
	case c == '<':
		return "XML or HTML"
	}
	return ""
}

// isSurrogate reports whether b begins with the escape sequence of half a character.
func isSurrogate(b []byte) bool {
	const digits, end = len(`\u`), len(`\ud800`)
	if len(b) < end || b[1] != 'u' {
		return false
	}
	unit, err := strconv.ParseUint(string(b[digits:end]), 16, 16)
	return err == nil && utf16.IsSurrogate(rune(unit))
}
