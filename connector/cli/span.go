package cli

import (
	"strings"
	"unicode/utf8"
)

// Span is text of one style.
type Span struct {
	Text  string
	Style string // parameters of the escape sequence SGR, ECMA-48; "" is none
}

// Styles of a [Span].
const (
	Bold  = "1"
	Dim   = "2"
	Red   = "31"
	Green = "32"
	Blue  = "34"
)

// Wrapped returns spans as a line, which on a screen with columns is broken between words:
// at spaces and after commas. The lines after the first begin with indent spaces, or fewer
// on a narrow screen. A word that is longer than the screen stays whole.
// Control characters become U+FFFD.
func Wrapped(screen Screen, indent int, spans ...Span) string {
	const least = 30 // columns of the text behind the indent
	w := wrapper{screen: screen, indent: min(indent, max(screen.Columns-least, 2))}
	for _, s := range spans {
		for text := printable(s.Text); text != ""; {
			word, rest := cutWord(text)
			if word[0] == ' ' {
				w.endWord()
				w.spaces += len(word)
			} else {
				w.word += styled(screen, s.Style, word)
				w.width += utf8.RuneCountInString(word)
			}
			if strings.HasSuffix(word, ",") {
				w.endWord()
			}
			text = rest
		}
	}
	w.endWord()
	return w.lines.String() + "\n"
}

// wrapper breaks lines.
type wrapper struct {
	screen Screen
	indent int
	lines  strings.Builder
	column int  // of the last line
	words  bool // the last line has words

	spaces int // before the word
	word   string
	width  int // columns of the word
}

// endWord writes the word, if there is one, on a new line if the last has no room for it.
func (w *wrapper) endWord() {
	if w.width == 0 {
		return
	}
	if w.screen.Columns > 0 && w.words && w.column+w.spaces+w.width > w.screen.Columns {
		w.lines.WriteByte('\n')
		w.column, w.spaces = 0, w.indent
	}
	w.lines.WriteString(strings.Repeat(" ", w.spaces) + w.word)
	w.column, w.words = w.column+w.spaces+w.width, true
	w.spaces, w.word, w.width = 0, "", 0
}

// IsControl reports whether r could change the state of a terminal.
func IsControl(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }

// printable returns text without characters that change the state of a terminal: names of
// sets may have any.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if IsControl(r) {
			return utf8.RuneError
		}
		return r
	}, text)
}

// cutWord cuts text, which is not empty, after its first spaces or its first word. A comma
// ends a word.
func cutWord(text string) (word, rest string) {
	if spaces := len(text) - len(strings.TrimLeft(text, " ")); spaces > 0 {
		return text[:spaces], text[spaces:]
	}
	end := strings.IndexAny(text, " ,")
	switch {
	case end < 0:
		return text, ""
	case text[end] == ',':
		end++
	}
	return text[:end], text[end:]
}

// styled returns text with the escape sequences of its style, if the screen has color.
func styled(screen Screen, style, text string) string {
	if style == "" || !screen.Color {
		return text
	}
	return "\x1b[" + style + "m" + text + "\x1b[0m"
}
