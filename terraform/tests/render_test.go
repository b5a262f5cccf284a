// Package tests checks the Terraform files, their templates, dashboards, images and uploads
// against the programs, without a cloud.
package tests

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// read returns the text of a file.
func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// render renders a template as Terraform's templatefile does.
func render(t *testing.T, path string, variables map[string]cty.Value) string {
	t.Helper()
	value, err := templateFile(path, variables)
	if err != nil {
		t.Fatal(err)
	}
	return value.AsString()
}

func templateFile(path string, variables map[string]cty.Value) (cty.Value, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return cty.NilVal, err
	}
	template, diags := hclsyntax.ParseTemplate(text, path, hcl.InitialPos)
	if diags.HasErrors() {
		return cty.NilVal, diags
	}
	value, diags := template.Value(&hcl.EvalContext{Variables: variables, Functions: functions})
	if diags.HasErrors() {
		return cty.NilVal, diags
	}
	return value, nil
}

func TestRender(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.tftpl")
	if err := os.WriteFile(path, []byte("a: ${b}\n%{ for c in d ~}\n- ${c}\n%{ endfor ~}\n$${e}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := render(t, path, map[string]cty.Value{"b": cty.StringVal("x"), "d": cty.ListVal([]cty.Value{cty.StringVal("1"), cty.StringVal("2")})})
	if want := "a: x\n- 1\n- 2\n${e}\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
