package sqs

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// isTextSlow is isText, character by character.
func isTextSlow(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(c rune) bool {
		return c != 0x9 && c != 0xA && c != 0xD && (c < 0x20 || c > 0xD7FF) && (c < 0xE000 || c > 0xFFFD) && (c < 0x10000 || c > 0x10FFFF)
	}) < 0
}

// Every byte and every character at the edges of what SQS takes, at every place in a word.
func TestIsText(t *testing.T) {
	var samples []string
	for b := range 256 {
		samples = append(samples, string([]byte{byte(b)}))
	}
	for _, c := range []rune{0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFC, 0xFFFD, 0xFFFE, 0xFFFF, 0x10000, 0x1FFFE, 0x1FFFF, 0x10FFFF} {
		samples = append(samples, string(c))
	}
	samples = append(samples, "\xed\xa0\x80", "\xed\xbf\xbf", "\xf4\x90\x80\x80", "\xc0\x80", "\xe0\x80\x80", "\xe2\x82", "\xf0\x9f\x98", "")
	for _, s := range samples {
		for before := range 17 {
			for _, after := range []int{0, 1, 7, 8, 20} {
				text := strings.Repeat("a", before) + s + strings.Repeat("é", after)
				if got, want := isText(text), isTextSlow(text); got != want {
					t.Errorf("%q: %v, want %v", text, got, want)
				}
			}
		}
	}
}

func FuzzIsText(f *testing.F) {
	for _, s := range []string{"", "{\"a\": 1}\n", "aaaaaaaé\uFFFE", "aaaaaaaaaaaaaaa\x00", "\xff", "aaaaaaa\xed\xa0\x80"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := isText(s), isTextSlow(s); got != want {
			t.Errorf("%q: %v, want %v", s, got, want)
		}
	})
}

func BenchmarkIsText(b *testing.B) {
	text := strings.Repeat(`{"name":"value"},`, 60)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if !isText(text) {
			b.Fatal("it is text")
		}
	}
}
