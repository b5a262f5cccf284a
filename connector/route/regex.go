package route

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/aerosink/aerosink/connector/plural"
)

// Regex returns a Step that replaces each match of pattern. The replacement is as in Java: $1
// or ${name} is a group, and \ escapes the next character. Patterns are those of
// https://pkg.go.dev/regexp/syntax, without look-around and back-references.
func Regex(pattern, replacement string) (Step, error) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("pattern: %w; look-around and back-references are not supported", err)
	}
	template, err := expansion(replacement, re)
	if err != nil {
		return nil, fmt.Errorf("replacement: %w", err)
	}
	return func(name string) string { return re.ReplaceAllString(name, template) }, nil
}

// expansion converts a replacement of Java's Matcher.replaceAll to a template for
// [regexp.Regexp.Expand].
func expansion(replacement string, re *regexp.Regexp) (string, error) {
	var t strings.Builder
	for rest := replacement; rest != ""; {
		letter := rest[0]
		rest = rest[1:]
		switch {
		case letter == '\\' && rest == "":
			return "", errors.New(`trailing \; write \\ for a backslash`)
		case letter == '\\':
			letter, rest = rest[0], rest[1:]
			writeLiteral(&t, letter)
		case letter == '$':
			group, after, err := cutGroup(rest, re)
			if err != nil {
				return "", err
			}
			fmt.Fprintf(&t, "${%s}", group)
			rest = after
		default:
			writeLiteral(&t, letter)
		}
	}
	return t.String(), nil
}

func writeLiteral(t *strings.Builder, letter byte) {
	if letter == '$' {
		t.WriteByte('$')
	}
	t.WriteByte(letter)
}

// cutGroup cuts the group off the text after a $: a name in braces, or as many digits as
// make the number of a group.
func cutGroup(rest string, re *regexp.Regexp) (group, after string, err error) {
	if inner, ok := strings.CutPrefix(rest, "{"); ok {
		name, after, closed := strings.Cut(inner, "}")
		if !closed || re.SubexpIndex(name) < 0 {
			return "", "", fmt.Errorf("the pattern has no group %q; name it (?P<%s>…), or write $1", name, name)
		}
		return name, after, nil
	}
	number, length := 0, 0
	for length < len(rest) && rest[length] >= '0' && rest[length] <= '9' {
		next := number*10 + int(rest[length]-'0')
		if length > 0 && next > re.NumSubexp() {
			break
		}
		number = next
		length++
	}
	switch {
	case length == 0:
		return "", "", errors.New(`$ without a group; write \$ for a dollar sign`)
	case number > re.NumSubexp():
		return "", "", fmt.Errorf("group $%d, but the pattern has %s", number, plural.Of(re.NumSubexp(), "group"))
	}
	return strconv.Itoa(number), rest[length:], nil
}
