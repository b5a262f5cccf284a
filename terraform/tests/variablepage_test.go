package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

const variablePageIntro = `# Variables

All variables with their types, defaults and descriptions. Generated from the files in this folder:
` + "`UPDATE_VARIABLES=1 go test -run TestVariables_page ./terraform/tests`" + ` writes it again.

`

// TestVariables_page compares VARIABLES.md of each cloud with the variables of the module.
// With UPDATE_VARIABLES it writes the files.
func TestVariables_page(t *testing.T) {
	for _, dir := range []string{".", "aws"} {
		want, page := variablePage(readModule(t, dir)), filepath.Join(dir, "VARIABLES.md")
		if os.Getenv("UPDATE_VARIABLES") != "" {
			if err := os.WriteFile(page, []byte(want), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(want, read(t, page)); diff != "" {
			t.Errorf("%s is not what UPDATE_VARIABLES=1 writes (-want +got)\n%s", page, diff)
		}
	}
}

// variablePage returns the page about a module's variables: a table of all, and for each object
// its description and a table of its attributes.
func variablePage(m module) string {
	variables := m.blocks("variable")
	slices.SortStableFunc(variables, func(a, b *hclsyntax.Block) int {
		return strings.Compare(variablePageOrder(a), variablePageOrder(b))
	})
	var page, objects strings.Builder
	page.WriteString(variablePageIntro + "| variable | type | default | |\n|---|---|---|---|\n")
	for _, b := range variables {
		name, kind, text := b.Labels[0], b.Body.Attributes["type"].Expr, description(b)
		fallback := "required"
		if a := b.Body.Attributes["default"]; a != nil {
			fallback = "`" + oneLine(m.source(a.Expr)) + "`"
		}
		rows := attributeRows(m, "", kind)
		if len(rows) == 0 {
			fmt.Fprintf(&page, "| `%s` | `%s` | %s | %s |\n", name, oneLine(m.source(kind)), fallback, cell(text))
			continue
		}
		if !strings.Contains(text, "\n") {
			fmt.Fprintf(&page, "| `%s` | object | %s | %s |\n", name, fallback, cell(text))
			continue
		}
		fmt.Fprintf(&page, "| `%s` | object | %s | see [below](#%s) |\n", name, fallback, name)
		fmt.Fprintf(&objects, "\n## %s\n\n%s\n\n| attribute | type | default |\n|---|---|---|\n%s", name, markdown(text), strings.Join(rows, ""))
	}
	return page.String() + objects.String()
}

// description returns the description of a variable.
func description(b *hclsyntax.Block) string {
	a := b.Body.Attributes["description"]
	if a == nil {
		return ""
	}
	value, diags := a.Expr.Value(nil)
	if diags.HasErrors() {
		return ""
	}
	return strings.TrimSpace(value.AsString())
}

// variablePageOrder sorts variables by file and line. Those of the whole module come first.
func variablePageOrder(b *hclsyntax.Block) string {
	file := b.Range().Filename
	if strings.HasSuffix(file, "variables.tf") {
		file = ""
	}
	return fmt.Sprintf("%s %06d", file, b.Range().Start.Line)
}

// attributeRows returns the rows of a table of an object type's attributes, and none for
// another type.
func attributeRows(m module, prefix string, kind hclsyntax.Expression) (rows []string) {
	object, _ := call(kind, "object")
	constructor, ok := object.(*hclsyntax.ObjectConsExpr)
	if !ok {
		return nil
	}
	for _, item := range constructor.Items {
		key, diags := item.KeyExpr.Value(nil)
		if diags.HasErrors() {
			continue
		}
		name, kind, fallback := prefix+key.AsString(), item.ValueExpr, "required"
		if inner, rest := call(kind, "optional"); inner != nil {
			kind, fallback = inner, "`null`"
			if len(rest) > 0 {
				fallback = "`" + oneLine(m.source(rest[0])) + "`"
			}
		}
		element, suffix, container := kind, ".", ""
		if inner, _ := call(kind, "map"); inner != nil {
			element, suffix, container = inner, ".*.", "map of "
		} else if inner, _ := call(kind, "list"); inner != nil {
			element, suffix, container = inner, "[*].", "list of "
		}
		nested := attributeRows(m, name+suffix, element)
		text := "`" + oneLine(m.source(kind)) + "`"
		if len(nested) > 0 {
			text = container + "object"
		}
		rows = append(append(rows, fmt.Sprintf("| `%s` | %s | %s |\n", name, text, fallback)), nested...)
	}
	return rows
}

// call returns the first argument of a call of a function, and the others, or nil for
// another expression.
func call(e hclsyntax.Expression, function string) (first hclsyntax.Expression, rest []hclsyntax.Expression) {
	c, ok := e.(*hclsyntax.FunctionCallExpr)
	if !ok || c.Name != function || len(c.Args) == 0 {
		return nil, nil
	}
	return c.Args[0], c.Args[1:]
}

// oneLine returns the text of an expression on one line.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// cell returns text for a cell of a table.
func cell(text string) string { return strings.ReplaceAll(oneLine(text), "|", `\|`) }

// markdown returns a description, in which a list follows a sentence without a blank line.
func markdown(text string) string {
	before, list, ok := strings.Cut(text, "\n- ")
	if !ok {
		return text
	}
	return before + "\n\n- " + list
}

// The page has attributes of objects in objects, in maps and in lists, and the defaults.
func TestVariablePage(t *testing.T) {
	var m module
	m.add(t, "a.tf", []byte(`
variable "all" {
  description = "All:\n- `+"`a`"+`: one."
  type = object({
    a = optional(number, 3)
    b = optional(map(object({ c = string, d = optional(list(string), []) })), {})
    e = optional(object({ f = bool }))
  })
  default = {}
}

variable "simple" {
  description = "One | two."
  type        = list(string)
}
`))
	want := variablePageIntro + `| variable | type | default | |
|---|---|---|---|
| ` + "`all` | object | `{}` | see [below](#all) |\n| `simple` | `list(string)` | required | One \\| two. |\n" + `
## all

All:

- ` + "`a`" + `: one.

| attribute | type | default |
|---|---|---|
` + "| `a` | `number` | `3` |\n| `b` | map of object | `{}` |\n| `b.*.c` | `string` | required |\n| `b.*.d` | `list(string)` | `[]` |\n" +
		"| `e` | object | `null` |\n| `e.f` | `bool` | required |\n"
	if diff := cmp.Diff(want, variablePage(m)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
