package json

import (
	"bytes"
	"math"

	"github.com/go-json-experiment/json/jsontext"
)

// cursor iterates over JSON whose syntax was checked, without copying it. The slices that
// it returns keep their capacity, from which a reader computes their offset. The zero
// cursor is at its end.
type cursor struct{ rest []byte }

// newCursor returns a cursor over the members or elements of a valid object or array.
func newCursor(value []byte) cursor { return cursor{rest: value[1 : len(value)-1]} }

// member returns the next member of an object: its name in quotes, and its value.
func (c *cursor) member() (name, value []byte, ok bool) {
	if name, ok = c.element(); !ok {
		return nil, nil, false
	}
	value, _ = c.element()
	return name, value, true
}

// element returns the next element of an array.
func (c *cursor) element() (value []byte, ok bool) {
	b := skipSeparators(c.rest)
	if len(b) == 0 {
		return nil, false
	}
	end := valueEnd(b)
	c.rest = b[end:]
	return b[:end], true
}

// skipSeparators skips white space, commas and colons.
func skipSeparators(b []byte) []byte {
	for len(b) > 0 {
		switch b[0] {
		case ' ', '\t', '\r', '\n', ',', ':':
			b = b[1:]
		default:
			return b
		}
	}
	return b
}

// valueEnd returns the length of the valid JSON value at the start of b.
func valueEnd(b []byte) int {
	switch b[0] {
	case '"':
		return stringEnd(b)
	case '{', '[':
		return nestedEnd(b)
	}
	for i, c := range b {
		switch c {
		case ' ', '\t', '\r', '\n', ',', ']', '}':
			return i
		}
	}
	return len(b)
}

func stringEnd(b []byte) int {
	for i := 1; ; i++ {
		i += bytes.IndexByte(b[i:], '"')
		if b[i-1] != '\\' || !isEscaped(b, i) {
			return i + 1
		}
	}
}

// isEscaped reports whether an odd number of backslashes precedes b[i].
func isEscaped(b []byte, i int) bool {
	backslashes := 0
	for b[i-1-backslashes] == '\\' {
		backslashes++
	}
	return backslashes%2 == 1
}

func nestedEnd(b []byte) int {
	end, _ := scanNested(b, 0, math.MaxInt)
	return end
}

// nestsDeeper reports whether the arrays and objects in a valid one nest deeper than
// depth.
func nestsDeeper(b []byte, depth int) bool {
	if bytes.Count(b, []byte{'['})+bytes.Count(b, []byte{'{'}) <= depth {
		return false
	}
	_, deeper := scanNested(b, 0, depth)
	return deeper
}

// scanNested scans the valid array or object at the start of b, to its end or to the
// first value that nests deeper than limit. With a depth of 1, b begins inside it.
func scanNested(b []byte, depth, limit int) (end int, deeper bool) {
	for i := 0; ; i++ {
		switch b[i] {
		case '"':
			i += stringEnd(b[i:]) - 1
		case '{', '[':
			if depth++; depth > limit {
				return i, true
			}
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1, false
			}
		}
	}
}

// isString reports whether value is the string text.
func isString(value []byte, text string) bool {
	return value[0] == '"' && string(unquote(value)) == text
}

// unquote returns the text of a valid JSON string. It shares the string's memory if
// nothing is escaped.
func unquote(quoted []byte) []byte {
	if inner := quoted[1 : len(quoted)-1 : len(quoted)-1]; bytes.IndexByte(inner, '\\') < 0 {
		return inner
	}
	text, err := jsontext.AppendUnquote(nil, quoted)
	if err != nil {
		panic("json: unquote of unchecked JSON: " + err.Error())
	}
	return text
}
