package sqs

import "unicode/utf8"

// isText reports whether SQS takes s as a body or as the value of an attribute: it is UTF-8,
// and has only characters that an XML 1.0 document may have (comment of SendMessageBatch in the
// SDK).
func isText(s string) bool {
	for i := 0; i < len(s); {
		if len(s)-i >= 8 && isPrintable(s[i:i+8]) {
			i += 8
			continue
		}
		if c := s[i]; c < utf8.RuneSelf {
			if c < ' ' && c != '\t' && c != '\n' && c != '\r' {
				return false
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 || r == 0xFFFE || r == 0xFFFF {
			return false
		}
		i += n
	}
	return true
}

// isPrintable reports whether all of 8 bytes are ASCII and not below the space.
func isPrintable(s string) bool {
	const (
		high   = 0x8080808080808080 // the highest bit of each byte
		spaces = 0x2020202020202020
	)
	_ = s[7]
	w := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
	return (w|(w-spaces))&high == 0 // a byte below the space borrows, which sets its highest bit
}
