package cli_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/cli"
)

func TestWrapped(t *testing.T) {
	spans := []cli.Span{{Text: "   1  "}, {"write", cli.Green}, {Text: "  shop.customers  name=Joe tags=[1,2,3]"}}
	for _, tt := range []struct {
		name   string
		screen cli.Screen
		want   string
	}{
		{"no terminal", cli.Screen{}, "   1  write  shop.customers  name=Joe tags=[1,2,3]\n"},
		{"wide terminal", cli.Screen{Columns: 200}, "   1  write  shop.customers  name=Joe tags=[1,2,3]\n"},
		{"as wide as the line", cli.Screen{Columns: 50}, "   1  write  shop.customers  name=Joe tags=[1,2,3]\n"},
		{"a column less", cli.Screen{Columns: 49}, "   1  write  shop.customers  name=Joe tags=[1,2,\n      3]\n"},
		{"narrow terminal", cli.Screen{Columns: 24}, "   1  write\n  shop.customers\n  name=Joe tags=[1,2,3]\n"},
		{"narrower than a word", cli.Screen{Columns: 9}, "   1\n  write\n  shop.customers\n  name=Joe\n  tags=[1,\n  2,3]\n"},
		{"color", cli.Screen{Color: true, Columns: 24}, "   1  \x1b[32mwrite\x1b[0m\n  shop.customers\n  name=Joe tags=[1,2,3]\n"},
	} {
		if got := cli.Wrapped(tt.screen, 6, spans...); got != tt.want {
			t.Errorf("%s:\n%q, want\n%q", tt.name, got, tt.want)
		}
	}
}

// No word is broken, none is lost, and only a word that is too long exceeds the screen.
func TestWrapped_words(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOf(rapid.StringMatching(`[a-zé"{:.]{1,30}`)).Draw(t, "words")
		columns := rapid.IntRange(1, 120).Draw(t, "columns")
		indent := rapid.IntRange(0, 40).Draw(t, "indent")
		got := cli.Wrapped(cli.Screen{Columns: columns}, indent, cli.Span{Text: strings.Join(words, " ")})
		if strings.Join(strings.Fields(got), " ") != strings.Join(words, " ") {
			t.Fatalf("%q", got)
		}
		for line := range strings.Lines(got) {
			line = strings.TrimSuffix(line, "\n")
			if utf8.RuneCountInString(line) > columns && len(strings.Fields(line)) > 1 {
				t.Fatalf("%q has more than %d columns", line, columns)
			}
			if strings.HasSuffix(line, " ") {
				t.Fatalf("%q ends in a space", line)
			}
		}
	})
}

// A name cannot change the state of a terminal.
func TestWrapped_controlCharacters(t *testing.T) {
	got := cli.Wrapped(cli.Screen{}, 0, cli.Span{Text: "a\x1b[2Jb\u009bc\nd"})
	if want := "a\uFFFD[2Jb\uFFFDc\uFFFDd\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
