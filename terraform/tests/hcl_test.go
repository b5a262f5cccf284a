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

// module holds the parsed files of a Terraform module.
type module struct {
	files []hclFile
	tests string // the text of all test files
}

type hclFile struct {
	name string
	text []byte
	body *hclsyntax.Body
}

// readModule parses the files in dir and its tests. Other folders below dir are modules of
// their own.
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
	f, diags := hclsyntax.ParseConfig(text, name, hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	m.files = append(m.files, hclFile{name, text, f.Body.(*hclsyntax.Body)})
	if isTest(name) {
		m.tests += string(text)
	}
}

func isTest(name string) bool { return strings.HasSuffix(name, ".hcl") }

// blocks returns the module's blocks of a type, such as resource. If kinds are given, it
// returns only blocks whose first label is one of them. Blocks in tests do not count.
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

// cloud returns the cloud that the module deploys to, as its provider is called. Modules for
// AWS are in aws and below.
func (m module) cloud() string {
	if len(m.files) > 0 && strings.HasPrefix(m.files[0].name, "aws/") {
		return "aws"
	}
	return "google"
}

// isExample reports whether the module is an example, which passes its variables to ours.
func (m module) isExample() bool { return len(m.blocks("module")) > 0 }

// child returns the first block of a type in a body, or an empty one.
func child(body *hclsyntax.Body, of string) *hclsyntax.Body {
	for _, b := range body.Blocks {
		if b.Type == of {
			return b.Body
		}
	}
	return &hclsyntax.Body{}
}

// literal returns the text of an attribute that is a literal string, number or bool, and ""
// if it is missing, null or computed.
func literal(body *hclsyntax.Body, attribute string) string {
	a, ok := body.Attributes[attribute]
	if !ok {
		return ""
	}
	value, diags := a.Expr.Value(nil)
	if diags.HasErrors() || value.IsNull() || !value.Type().IsPrimitiveType() {
		return ""
	}
	return string(bytes.Trim(hclwrite.TokensForValue(value).Bytes(), `"`))
}

// strings returns all string literals in the file. Templates are split at their
// interpolations.
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

// text returns the text of a block.
func (m module) text(b *hclsyntax.Block) string {
	for _, f := range m.files {
		if f.name == b.Range().Filename {
			return string(hcl.RangeBetween(b.TypeRange, b.CloseBraceRange).SliceBytes(f.text))
		}
	}
	return ""
}

// address returns the address by which other blocks refer to b.
func address(b *hclsyntax.Block) string {
	if b.Type == "resource" {
		return strings.Join(b.Labels, ".")
	}
	return b.Type + "." + strings.Join(b.Labels, ".")
}

// moduleFolders returns the folders of our modules: that for Google Cloud, that for AWS, and
// the examples of both.
func moduleFolders(t *testing.T) []string {
	t.Helper()
	dirs := []string{".", "aws"}
	for _, pattern := range []string{"examples/*/*.tf", "aws/examples/*/*.tf"} {
		examples, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range examples {
			if dir := filepath.Dir(path); !slices.Contains(dirs, dir) {
				dirs = append(dirs, dir)
			}
		}
	}
	return dirs
}

// All modules follow the rules, and those for AWS rules of their own.
func TestRules_modules(t *testing.T) {
	for _, dir := range moduleFolders(t) {
		m := readModule(t, dir)
		all := rules
		if m.cloud() == "aws" {
			all = slices.Concat(rules, awsRules)
		}
		for _, r := range all {
			for _, finding := range r.findings(m) {
				t.Errorf("%s: %s", dir, finding)
			}
		}
	}
}

// Each rule reports exactly one finding for each of its bad examples.
func TestRules_findViolations(t *testing.T) {
	for folder, all := range map[string][]rule{"": rules, "aws/": awsRules} {
		for _, r := range all {
			for _, b := range r.bad {
				var m module
				name := folder + "bad.tf"
				if b.inTest {
					name = folder + "bad.tftest.hcl"
				}
				m.add(t, name, []byte(b.text))
				if found := r.findings(m); len(found) != 1 || !strings.Contains(found[0], b.found) {
					t.Errorf("findings %q, want one that contains %s, in\n%s", found, b.found, b.text)
				}
			}
		}
	}
}
