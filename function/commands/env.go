package commands

import (
	"io"
	"strings"

	"github.com/aerosink/aerosink/connector/cli"
)

// printVariables prints all variables of the program.
func (p Program) printVariables(stdout io.Writer) error {
	rows := [][]string{{"VARIABLE", "DEFAULT", "UNIT", "MEANING"}}
	for _, v := range p.Environment.Variables() {
		rows = append(rows, []string{v.Name, v.Default, v.Unit, plainText(v.Meaning)})
	}
	_, err := io.WriteString(stdout, cli.Table(rows)+
		"\nA size is a number of bytes, or one with KiB, MiB or GiB, as in 16MiB. A duration has a unit: ms, s,\n"+
		"m or h. Several URLs or tokens are separated by commas.\n")
	return err
}

// VariableTable returns a table of the variables with these names, for the notes of a program.
func (p Program) VariableTable(names ...string) string {
	var rows [][]string
	for _, name := range names {
		for _, v := range p.Environment.Variables() {
			if v.Name != name {
				continue
			}
			text := plainText(v.Meaning)
			if v.Default != "" {
				text += " (default " + v.Default + ")"
			}
			rows = append(rows, []string{v.Name, text})
		}
	}
	return cli.Table(rows)
}

// plainText returns a meaning without its Markdown.
func plainText(meaning string) string { return strings.ReplaceAll(meaning, "`", "") }
