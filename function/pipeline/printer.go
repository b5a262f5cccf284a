package pipeline

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aerosink/aerosink/connector/cli"
)

// Forms of the output.
const (
	FormText = "text" // a change in several lines, for reading
	FormLine = "line" // a change in one line, for reading
	FormJSON = "json" // a change as one line of JSON, and nothing else on standard output
)

// CheckForm checks the value of the flag -o.
func CheckForm(form string) error {
	if !slices.Contains([]string{FormText, FormLine, FormJSON}, form) {
		return cli.Usagef("-o: unknown form %q: want text, line or json", form)
	}
	return nil
}

// Printer prints what happens in a pipeline. After an error of a writer it prints nothing more.
type Printer struct {
	Form   string
	Screen cli.Screen
	Err    error
	Count  int // of changes printed

	changes io.Writer // of the changes
	notes   io.Writer // of all else; that of the changes, except in FormJSON
}

// NewPrinter returns a Printer that prints changes in a form.
func NewPrinter(form string, streams cli.Streams) *Printer {
	p := &Printer{Form: form, changes: streams.Stdout, notes: streams.Stdout, Screen: cli.ScreenOf(streams.Stdout)}
	if form == FormJSON {
		p.notes, p.Screen = streams.Stderr, cli.ScreenOf(streams.Stderr)
	}
	return p
}

// write writes text.
func (p *Printer) write(w io.Writer, text string) {
	if p.Err == nil {
		_, p.Err = io.WriteString(w, text)
	}
}

// noteColumns is how long lines of notes are where it is not a terminal that says so.
const noteColumns = 120

// Printf prints a note, in lines that fit.
func (p *Printer) Printf(text string, args ...any) {
	p.Paragraph(0, fmt.Sprintf(text, args...))
}

// Row prints a row of a table.
func (p *Printer) Row(name, address, text string) {
	row := fmt.Sprintf("  %-13s  %-24s ", name, address)
	p.Paragraph(len(row), row+text)
}

// Paragraph prints text in lines that fit, the first without the indent.
func (p *Printer) Paragraph(indent int, text string) {
	screen := p.Screen
	if screen.Columns == 0 {
		screen.Columns = noteColumns
	}
	p.write(p.notes, cli.Wrapped(screen, indent, cli.Span{Text: text}))
}

// Verbatim prints a line that is to be copied, and so is never wrapped.
func (p *Printer) Verbatim(line string, args ...any) {
	p.write(p.notes, fmt.Sprintf("  "+line+"\n", args...))
}

// Note prints a line that is not about a change.
func (p *Printer) Note(indent int, spans ...cli.Span) {
	p.write(p.notes, cli.Wrapped(p.Screen, indent, spans...))
}

// Change prints a line about a change.
func (p *Printer) Change(indent int, spans ...cli.Span) {
	p.write(p.changes, cli.Wrapped(p.Screen, indent, spans...))
}

// JSON prints a change as a line of JSON.
func (p *Printer) JSON(value any) {
	if p.Err == nil {
		e := newEncoder(p.changes)
		p.Err = e.Encode(value)
	}
}

// ShipFrom prints how a real database ships its changes to a connector that listens at an
// address.
func (p *Printer) ShipFrom(xdrAddress string) {
	address, hint := nodeAddress(xdrAddress)
	p.Printf("To ship the changes of a real database, run these on each node of an Aerospike Enterprise cluster that can connect to %s (%s):", address, hint)
	p.Printf("")
	for _, command := range []string{
		"dc=aerosink;action=create", "dc=aerosink;connector=true",
		"dc=aerosink;node-address-port=" + address + ";action=add", "dc=aerosink;namespace=NAMESPACE;action=add",
	} {
		p.Verbatim(`asinfo -v "set-config:context=xdr;%s"`, command)
	}
	p.Printf("")
}

// Head prints the first line about a change of which a message has these attributes.
func (p *Printer) Head(attributes map[string]string) {
	p.Count++
	p.Change(22, cli.Span{Text: fmt.Sprintf("%4d  ", p.Count)}, opSpan(attributes, 14), cli.Span{Text: "  "}, cli.Span{Text: recordPath(attributes), Style: cli.Bold},
		cli.Span{Text: "  " + updateTime(attributes["lut"], "2006-01-02 15:04:05.000 UTC")})
}

// Attributes prints a line with attributes, in the order of their names.
func (p *Printer) Attributes(attributes map[string]string) {
	spans := []cli.Span{{Text: "      attributes      "}}
	for i, name := range slices.Sorted(maps.Keys(attributes)) {
		if i > 0 {
			spans = append(spans, cli.Span{Text: " "})
		}
		spans = append(spans, cli.Span{Text: name + "=", Style: cli.Dim}, cli.Span{Text: attributes[name]})
	}
	p.Change(22, spans...)
}

// Property prints a line with a property of a message.
func (p *Printer) Property(name, value string) {
	p.Change(22, cli.Span{Text: fmt.Sprintf("      %-16s%s", name, value)})
}

// Line prints a message in one line.
func (p *Printer) Line(attributes map[string]string, data []byte) {
	p.Count++
	c := describe(attributes, data)
	spans := []cli.Span{
		{Text: fmt.Sprintf("%4d  ", p.Count)},
		{Text: updateTime(attributes["lut"], "15:04:05.000") + "  ", Style: cli.Dim},
		opSpan(attributes, len("delete")), {Text: "  "}, {Text: recordPath(attributes), Style: cli.Bold}, {Text: "  "}, {Text: c.key, Style: cli.Dim},
	}
	if generation := attributes["generation"]; generation != "" {
		spans = append(spans, cli.Span{Text: "  generation " + generation})
	}
	if c.content != "" {
		spans = append(spans, cli.Span{Text: "  " + c.content})
	}
	p.Change(6, spans...)
}

// Object prints an object, which is new.
func (p *Printer) Object(name, changes, size string) {
	p.Note(10, cli.Span{Text: "  "}, cli.Span{Text: "object", Style: cli.Blue}, cli.Span{Text: "  " + name + "  " + CountText(changes, "change") + ", " + CountText(size, "byte")})
	if p.Form == FormText {
		p.Printf("")
	}
}

// Missed prints how many messages were not shown.
func (p *Printer) Missed(n int) {
	if n > 0 {
		p.Printf("%s came faster than they can be shown, and are left out here", cli.Count(n, "message"))
	}
}

// recordPath returns the namespace and the set of a message.
func recordPath(attributes map[string]string) string {
	return strings.TrimSuffix(attributes["namespace"]+"."+attributes["set"], ".")
}

// updateTime returns a last update time, in Unix milliseconds, in a layout; "" if it is
// unknown.
func updateTime(lut, layout string) string {
	var ms int64
	if _, err := fmt.Sscan(lut, &ms); err != nil || ms == 0 {
		return ""
	}
	return time.UnixMilli(ms).UTC().Format(layout)
}
