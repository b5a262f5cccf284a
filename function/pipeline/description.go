package pipeline

import (
	stdjson "encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/aerosink/aerosink/connector/cli"
	"github.com/aerosink/aerosink/connector/format/formats"
	"github.com/aerosink/aerosink/connector/format/json"
)

// description is a change in few words.
type description struct {
	key     string // the user key, or the digest if that is not known
	content string // bins, or the size of what cannot be read here
}

// describe describes the change in a message with these attributes.
func describe(attributes map[string]string, data []byte) description {
	d := description{key: attributes["digest"]}
	name := attributes["format"]
	parsed, err := formats.Parser{MetadataKey: MetadataKey, Bins: true}.Parse(formats.MediaTypeOf(name), data)
	if err != nil || len(parsed) != 1 || parsed[0].Err != nil {
		d.content = fmt.Sprintf("%d bytes of %s", len(data), name)
		return d
	}
	c := &parsed[0].Change
	if key, err := json.AppendValue(nil, c.Key); err == nil && string(key) != "null" {
		d.key = strings.TrimPrefix(BinText("", key), "=")
	}
	var bins []string
	for _, b := range c.Bins {
		text, err := json.AppendValue(nil, b.Value)
		if err != nil {
			text = []byte("…") // JSON has no form for it
		}
		bins = append(bins, BinText(b.Name, text))
	}
	d.content = strings.Join(bins, " ")
	return d
}

// DataText returns the data of a message: as they are if they are text, else their size, their
// format and first bytes.
func DataText(format string, data []byte) string {
	const most = 32
	if utf8.Valid(data) && !strings.ContainsFunc(string(data), cli.IsControl) {
		return string(data)
	}
	first, more := data, ""
	if len(first) > most {
		first, more = first[:most], " …"
	}
	return fmt.Sprintf("%d bytes of %s: % x%s", len(data), format, first, more)
}

// BinText returns NAME=VALUE for a bin whose value is the JSON text. A string has quotation marks
// only where it could be taken for something else.
func BinText(name string, text []byte) string {
	var s string
	if len(text) > 0 && text[0] == '"' && stdjson.Unmarshal(text, &s) == nil && isBare(s) {
		return name + "=" + s
	}
	return name + "=" + string(text)
}

// isBare reports whether s is no JSON, and shows where it ends.
func isBare(s string) bool {
	if s == "" || !utf8.ValidString(s) || strings.ContainsRune(`[{"`, rune(s[0])) || jsontext.Value(s).IsValid() {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) })
}

// CountText returns a count and a noun, as [cli.Count] does.
func CountText(count, noun string) string {
	n, err := strconv.Atoi(count)
	if err != nil {
		return "some " + noun + "s"
	}
	return cli.Count(n, noun)
}

// opSpan returns the operation of a message, at least width wide. A message of several
// changes has none.
func opSpan(attributes map[string]string, width int) cli.Span {
	op, style := attributes["op"], ""
	switch {
	case op == "write":
		style = cli.Green
	case op != "":
		style = cli.Red
	default:
		op = CountText(attributes["changes"], "change")
	}
	return cli.Span{Text: fmt.Sprintf("%-*s", width, op), Style: style}
}

// newEncoder returns an encoder of JSON, for people.
func newEncoder(w io.Writer) *stdjson.Encoder {
	e := stdjson.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e
}
