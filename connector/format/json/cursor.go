package json

import (
	"bytes"
	"math"

	"github.com/go-json-experiment/json/jsontext"
)

// cursor walks JSON whose syntax was checked before, without copying it. What
// it returns ends where it should but keeps its capacity, by which jsonReader
// knows where a part stands in the whole. The zero cursor is at its end.
type cursor struct{ rest []byte }

// newCursor returns a cursor of the members or elements of a valid object or array.
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

// skipSeparators steps over what separates values.
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

// valueEnd returns the length of the valid JSON value that b begins with.
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

// isEscaped reports whether an odd number of backslashes stands before b[i].
func isEscaped(b []byte, i int) bool {
	backslashes := 0
	for b[i-1-backslashes] == '\\' {
		backslashes++
	}
	return backslashes%2 == 1
}

func nestedEnd(b []byte) int {
	end, _ := scanNested(b, math.MaxInt)
	return end
}

// nestsDeeper reports whether arrays and objects nest deeper than depth in a valid
// one.
func nestsDeeper(b []byte, depth int) bool {
	if bytes.Count(b, []byte{'['})+bytes.Count(b, []byte{'{'}) <= depth {
		return false
	}
	_, deeper := scanNested(b, depth)
	return deeper
}

// scanNested walks the valid array or object that b begins with, to its end or to what
// is deeper than most.
func scanNested(b []byte, most int) (end int, deeper bool) {
	for i, depth := 0, 0; ; i++ {
		switch b[i] {
		case '"':
			i += stringEnd(b[i:]) - 1
		case '{', '[':
			if depth++; depth > most {
				return i, true
			}
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1, false
			}
		}
	}
}

// isString reports whether value is the string plain.
func isString(value []byte, plain string) bool {
	return value[0] == '"' && string(unquote(value)) == plain
}

// unquote returns what a valid JSON string says. It shares the string's memory
// where nothing is escaped.
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
