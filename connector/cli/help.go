package cli

import (
	"flag"
	"fmt"
	"strings"
	"unicode/utf8"
)

// width is the most columns of a line of help.
const width = 100

// programHelp returns the help of the program.
func programHelp(p *Program) string {
	var b strings.Builder
	b.WriteString(wrap("", "", p.Purpose) + "\nUsage:\n")
	var rows [][]string
	for _, c := range p.all() {
		rows = append(rows, []string{synopsis(p.Name, c), c.Summary})
	}
	b.WriteString(Table(rows))
	if d := p.defaultCommand(); d.Name == "" {
		b.WriteString(flagHelp(d))
	}
	b.WriteString(section("Examples", p.defaultCommand().Examples))
	if p.Notes != "" {
		b.WriteString("\n" + strings.TrimSpace(p.Notes) + "\n")
	}
	if len(p.Commands) > 1 {
		fmt.Fprintf(&b, "\nRun \"%s help COMMAND\" for the flags and examples of a command.\n", p.Name)
	}
	return b.String()
}

// commandHelp returns the help of a command.
func commandHelp(program string, c Command) string {
	var b strings.Builder
	b.WriteString("Usage: " + synopsis(program, c) + "\n\n")
	b.WriteString(wrap("", "", strings.ToUpper(c.Summary[:1])+c.Summary[1:]+"."))
	if c.Details != "" {
		b.WriteString(strings.TrimSpace(c.Details) + "\n")
	}
	return b.String() + flagHelp(c) + section("Examples", c.Examples)
}

// synopsis returns the usage of a command.
func synopsis(program string, c Command) string {
	const most = 40 // bytes of flags that are written out
	words := []string{program}
	switch {
	case c.Default && c.Name != "":
		words = append(words, "["+c.Name+"]")
	case c.Name != "":
		words = append(words, c.Name)
	}
	var flags []string
	flagSet(c).VisitAll(func(f *flag.Flag) { flags = append(flags, "["+flagSynopsis(f)+"]") })
	if text := strings.Join(flags, " "); len(text) > most {
		words = append(words, "[flags]")
	} else if text != "" {
		words = append(words, text)
	}
	if c.Args != "" {
		words = append(words, c.Args)
	}
	return strings.Join(words, " ")
}

// flagSynopsis returns a flag with the name of its value.
func flagSynopsis(f *flag.Flag) string {
	value, _ := flag.UnquoteUsage(f)
	return strings.TrimSpace("-" + f.Name + " " + value)
}

// flagHelp returns the list of a command's flags, or "" if there are none.
func flagHelp(c Command) string {
	var rows [][]string
	flagSet(c).VisitAll(func(f *flag.Flag) {
		_, usage := flag.UnquoteUsage(f)
		if f.DefValue != "" && f.DefValue != "false" {
			usage += " (default " + f.DefValue + ")"
		}
		rows = append(rows, []string{flagSynopsis(f), usage})
	})
	if len(rows) == 0 {
		return ""
	}
	return "\nFlags:\n" + Table(rows)
}

// section returns lines under a heading, or "" if there are none.
func section(heading, lines string) string {
	if lines = strings.TrimSpace(lines); lines == "" {
		return ""
	}
	return "\n" + heading + ":\n  " + strings.ReplaceAll(lines, "\n", "\n  ") + "\n"
}

// Table returns rows of columns and wraps the last one. A first column that is very
// wide gets a line of its own.
func Table(rows [][]string) string {
	const most = 36 // runes of the first column
	var widths []int
	for _, row := range rows {
		for i, text := range row[:len(row)-1] {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			if n := utf8.RuneCountInString(text); i > 0 || n <= most {
				widths[i] = max(widths[i], n)
			}
		}
	}
	var b strings.Builder
	for _, row := range rows {
		start, indent, last := "", "", len(row)-1
		for i, text := range row[:last] {
			start += fmt.Sprintf("  %-*s", widths[i], text)
			indent += fmt.Sprintf("  %*s", widths[i], "")
		}
		if utf8.RuneCountInString(row[0]) > widths[0] {
			b.WriteString("  " + row[0] + "\n")
			start = indent
		}
		b.WriteString(wrap(start+"  ", indent+"  ", row[last]))
	}
	return b.String()
}

// wrap breaks text into lines. The first line begins with start, the others
// with indent.
func wrap(start, indent, text string) string {
	var b strings.Builder
	b.WriteString(start)
	column := utf8.RuneCountInString(start)
	for i, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case i > 0 && column+1+n > width:
			b.WriteString("\n" + indent)
			column = utf8.RuneCountInString(indent)
		case i > 0:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += n
	}
	b.WriteByte('\n')
	return b.String()
}
