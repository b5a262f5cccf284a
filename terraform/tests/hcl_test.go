package tests

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// module is a folder of Terraform's files, read and not run.
type module struct {
	files []hclFile
	tests string // the text of all its tests
}

type hclFile struct {
	name string
	text []byte
	body *hclsyntax.Body
}

// readModule reads the files in a folder and its tests; those of folders below it
// belong to other modules.
func readModule(t *testing.T, dir string) module {
	t.Helper()
	var m module
	for _, pattern := range []string{"*.tf", "tests/*.hcl", "tests/mocks/*.hcl"} {
		paths, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			m.add(t, path, text)
		}
	}
	return m
}

func (m *module) add(t *testing.T, name string, text []byte) {
	t.Helper()
	f, faults := hclsyntax.ParseConfig(text, name, hcl.InitialPos)
	if faults.HasErrors() {
		t.Fatal(faults)
	}
	m.files = append(m.files, hclFile{name, text, f.Body.(*hclsyntax.Body)})
	if isTest(name) {
		m.tests += string(text)
	}
}

func isTest(name string) bool { return strings.HasSuffix(name, ".hcl") }

// blocks returns the blocks of the module with a type, and of a kind where it is
// given: a resource's for example. Tests have none.
func (m module) blocks(of string, kinds ...string) []*hclsyntax.Block {
	var found []*hclsyntax.Block
	for _, f := range m.files {
		for _, b := range f.body.Blocks {
			if !isTest(f.name) && b.Type == of && (len(kinds) == 0 || slices.Contains(kinds, b.Labels[0])) {
				found = append(found, b)
			}
		}
	}
	return found
}

// handsOn reports whether the module is an example, which hands its variables on to
// ours.
func (m module) handsOn() bool { return len(m.blocks("module")) > 0 }

// child returns the first block with a type in a body, or one that has nothing.
func child(body *hclsyntax.Body, of string) *hclsyntax.Body {
	for _, b := range body.Blocks {
		if b.Type == of {
			return b.Body
		}
	}
	return &hclsyntax.Body{}
}

// literal returns the string, number or bool that an attribute is, as text; "" where
// it is not there, null, or computed.
func literal(body *hclsyntax.Body, attribute string) string {
	a, ok := body.Attributes[attribute]
	if !ok {
		return ""
	}
	value, faults := a.Expr.Value(nil)
	if faults.HasErrors() || value.IsNull() || !value.Type().IsPrimitiveType() {
		return ""
	}
	return string(bytes.Trim(hclwrite.TokensForValue(value).Bytes(), `"`))
}

// strings returns what is between quotes anywhere in a file, in parts where values
// are put into it.
func (f hclFile) strings() []string {
	var found []string
	_ = hclsyntax.VisitAll(f.body, func(n hclsyntax.Node) hcl.Diagnostics {
		if l, ok := n.(*hclsyntax.LiteralValueExpr); ok && l.Val.Type().FriendlyName() == "string" && l.Val.IsKnown() && !l.Val.IsNull() {
			found = append(found, l.Val.AsString())
		}
		return nil
	})
	return found
}

// source returns the text of an expression.
func (m module) source(e hclsyntax.Expression) string {
	for _, f := range m.files {
		if f.name == e.Range().Filename {
			return string(e.Range().SliceBytes(f.text))
		}
	}
	return ""
}

// address returns what a block is called by others.
func address(b *hclsyntax.Block) string {
	if b.Type == "resource" {
		return strings.Join(b.Labels, ".")
	}
	return b.Type + "." + strings.Join(b.Labels, ".")
}

// The modules keep every rule.
func TestRules(t *testing.T) {
	examples, err := filepath.Glob("examples/*/*.tf")
	if err != nil {
		t.Fatal(err)
	}
	dirs := []string{"."}
	for _, path := range examples {
		if dir := filepath.Dir(path); !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	for _, dir := range dirs {
		m := readModule(t, dir)
		for _, r := range rules {
			for _, finding := range r.findings(m) {
				t.Errorf("%s: %s", dir, finding)
			}
		}
	}
}

// Each rule finds what breaks it, and that alone.
func TestRulesFind(t *testing.T) {
	for _, r := range rules {
		for _, b := range r.bad {
			var m module
			name := "bad.tf"
			if b.inTest {
				name = "bad.tftest.hcl"
			}
			m.add(t, name, []byte(b.text))
			if found := r.findings(m); len(found) != 1 || !strings.Contains(found[0], b.found) {
				t.Errorf("found %q, want one with %s, in\n%s", found, b.found, b.text)
			}
		}
	}
}
