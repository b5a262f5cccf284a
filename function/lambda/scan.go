package lambda

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/bits"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// bodyStart returns the offset of the string that is the member body of the event, 0 if the
// member is missing, of another type, or written with escapes. Whether the rest of the event
// is JSON is for others to find out: the offset is right if it is.
func bodyStart(event []byte) int {
	depth := 0
	for i := 0; i < len(event); i++ {
		switch event[i] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case '"':
			end := stringEnd(event, i)
			if end == 0 {
				return 0
			}
			if depth == 1 && string(event[i:end]) == `"body"` {
				if value := skip(event, end, ':'); value > 0 && event[value] == '"' {
					return value
				}
			}
			i = end - 1
		}
	}
	return 0
}

// stringEnd returns the offset behind the string that starts at start, 0 if it does not end.
func stringEnd(b []byte, start int) int {
	for i := start + 1; ; {
		quote := bytes.IndexByte(b[i:], '"')
		if quote < 0 {
			return 0
		}
		i += quote + 1
		backslashes := 0
		for b[i-2-backslashes] == '\\' {
			backslashes++
		}
		if backslashes%2 == 0 {
			return i
		}
	}
}

// skip returns the offset of what follows the separator at i, 0 if there is no separator or
// nothing behind it. White space does not count.
func skip(b []byte, i int, separator byte) int {
	for seen := false; i < len(b); i++ {
		switch c := b[i]; {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
		case !seen && c == separator:
			seen = true
		case seen:
			return i
		default:
			return 0
		}
	}
	return 0
}

// Eight bytes at a time: ones has a 1 in each byte, highs its highest bit.
const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
)

// controls returns a mask with the highest bit of each byte of w set that is a control
// character. Bytes above the lowest one set may be wrong.
func controls(w uint64) uint64 { return (w - ' '*ones) &^ w & highs }

// equals is like controls for bytes that are c.
func equals(w uint64, c byte) uint64 {
	w ^= uint64(c) * ones
	return (w - ones) &^ w & highs
}

// indexControl returns the offset of the first control character, -1 if there is none.
func indexControl(b []byte) int {
	i := 0
	for ; len(b)-i >= 8; i += 8 {
		if mask := controls(binary.LittleEndian.Uint64(b[i:])); mask != 0 {
			return i + bits.TrailingZeros64(mask)/8
		}
	}
	for ; i < len(b); i++ {
		if b[i] < ' ' {
			return i
		}
	}
	return -1
}

// unescape writes the JSON string at the start of src, which lacks its opening quote, to the
// memory of dst, which it grows if need be, and returns the length that the string has in src,
// with its closing quote. It does not check UTF-8. Offsets of errors are those in src.
func unescape(dst, src []byte) (unescaped []byte, n int, err error) {
	dst = slices.Grow(dst[:0], len(src)+8) // escapes are longer than what they stand for
	out, used := dst[:len(src)+8], 0
	for {
		for len(src)-n >= 8 {
			w := binary.LittleEndian.Uint64(src[n:])
			binary.LittleEndian.PutUint64(out[used:], w)
			special := controls(w) | equals(w, '"') | equals(w, '\\')
			if special != 0 {
				plain := bits.TrailingZeros64(special) / 8
				used, n = used+plain, n+plain
				break
			}
			used, n = used+8, n+8
		}
		if n == len(src) {
			return dst, n, io.ErrUnexpectedEOF
		}
		c := src[n]
		if c == '\\' && n+1 < len(src) {
			if simple := simpleEscapes[src[n+1]]; simple != 0 {
				out[used] = simple
				used, n = used+1, n+2
				continue
			}
		}
		switch {
		case c == '"':
			return out[:used], n + 1, nil
		case c < ' ':
			return dst, n, &syntaxError{n, "control character in a string"}
		case c != '\\':
			out[used] = c
			used, n = used+1, n+1
		default:
			r, length := escaped(src[n:])
			switch {
			case length == 0 && bytes.IndexByte(src[n:], '"') < 0:
				return dst, n, io.ErrUnexpectedEOF
			case length == 0:
				return dst, n, &syntaxError{n, "invalid escape in a string"}
			}
			used, n = used+utf8.EncodeRune(out[used:], r), n+length
		}
	}
}

// simpleEscapes has the characters that one character behind a backslash stands for.
var simpleEscapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escaped returns the character of the escape \uXXXX at the start of b, or of two of them that
// are a surrogate pair, and their length, 0 if they are invalid or end early.
func escaped(b []byte) (r rune, length int) {
	r, ok := codeUnit(b)
	switch {
	case !ok:
		return 0, 0
	case !utf16.IsSurrogate(r):
		return r, 6
	}
	low, ok := codeUnit(b[6:])
	if r = utf16.DecodeRune(r, low); !ok || r == utf8.RuneError {
		return 0, 0
	}
	return r, 12
}

// codeUnit reads \uXXXX.
func codeUnit(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	return rune(n), err == nil
}
