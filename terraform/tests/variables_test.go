package tests

import (
	"fmt"
	"regexp"

	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// incompleteVariables finds variables without a description, a type or a validation, and
// those that may be null without saying what null means. Examples pass their variables to
// our module, which validates them.
func incompleteVariables(m module) (found []string) {
	for _, b := range m.blocks("variable") {
		of, description := b.Body.Attributes, literal(b.Body, "description")
		if description == "" {
			found = append(found, address(b)+" has no description")
		}
		if !m.isExample() && literal(b.Body, "nullable") != "false" && !mentionsNull.MatchString(description) {
			found = append(found, address(b)+" needs nullable = false, or a description that says what null means")
		}
		switch {
		case of["type"] == nil:
			found = append(found, address(b)+" has no type")
		case !m.isExample() && isString(of["type"].Expr) && len(child(b.Body, "validation").Attributes) == 0:
			found = append(found, address(b)+" has no validation")
		}
	}
	return found
}

var mentionsNull = regexp.MustCompile(`(?i)\bnull\b`)

// isString reports whether a type is string.
func isString(e hclsyntax.Expression) bool {
	name, ok := e.(*hclsyntax.ScopeTraversalExpr)
	return ok && name.Traversal.RootName() == "string"
}

// undescribedAttributes finds attributes of object variables that the description does not
// mention.
func undescribedAttributes(m module) (found []string) {
	for _, b := range m.blocks("variable") {
		for _, name := range attributes(b.Body.Attributes["type"]) {
			if !regexp.MustCompile(`\b` + name + `\b`).MatchString(literal(b.Body, "description")) {
				found = append(found, fmt.Sprintf("the description of %s does not mention %s", address(b), name))
			}
		}
	}
	return found
}

// attributes returns the names of an object type's attributes, and nothing for other types.
func attributes(typed *hclsyntax.Attribute) (names []string) {
	if typed == nil {
		return nil
	}
	call, ok := typed.Expr.(*hclsyntax.FunctionCallExpr)
	if !ok || call.Name != "object" {
		return nil
	}
	object, ok := call.Args[0].(*hclsyntax.ObjectConsExpr)
	if !ok {
		return nil
	}
	for _, item := range object.Items {
		if key, diags := item.KeyExpr.Value(nil); !diags.HasErrors() {
			names = append(names, key.AsString())
		}
	}
	return names
}

func undescribedOutputs(m module) (found []string) {
	for _, b := range m.blocks("output") {
		if literal(b.Body, "description") == "" {
			found = append(found, address(b)+" has no description")
		}
	}
	return found
}
