package tests

import (
	"fmt"
	"regexp"

	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// bareVariables looks for variables that a user could not set without reading what
// they are for. Examples hand theirs on, and leave it to us to refuse them.
func bareVariables(m module) (found []string) {
	for _, b := range m.blocks("variable") {
		of, description := b.Body.Attributes, literal(b.Body, "description")
		if description == "" {
			found = append(found, address(b)+" has no description")
		}
		if !m.handsOn() && literal(b.Body, "nullable") != "false" && !saysNull.MatchString(description) {
			found = append(found, address(b)+" needs nullable = false, or has to say what null means")
		}
		switch {
		case of["type"] == nil:
			found = append(found, address(b)+" has no type")
		case !m.handsOn() && isText(of["type"].Expr) && len(child(b.Body, "validation").Attributes) == 0:
			found = append(found, address(b)+" has no validation")
		}
	}
	return found
}

var saysNull = regexp.MustCompile(`(?i)\bnull\b`)

// isText reports whether a type is that of texts, and not of lists of them.
func isText(e hclsyntax.Expression) bool {
	name, ok := e.(*hclsyntax.ScopeTraversalExpr)
	return ok && name.Traversal.RootName() == "string"
}

// undescribedAttributes looks for the name of each attribute of an object in the
// object's description.
func undescribedAttributes(m module) (found []string) {
	for _, b := range m.blocks("variable") {
		for _, name := range attributes(b.Body.Attributes["type"]) {
			if !regexp.MustCompile(`\b` + name + `\b`).MatchString(literal(b.Body, "description")) {
				found = append(found, fmt.Sprintf("%s does not say what %s is", address(b), name))
			}
		}
	}
	return found
}

// attributes returns the names of an object's attributes, and none for other types.
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
		if key, faults := item.KeyExpr.Value(nil); !faults.HasErrors() {
			names = append(names, key.AsString())
		}
	}
	return names
}

func bareOutputs(m module) (found []string) {
	for _, b := range m.blocks("output") {
		if literal(b.Body, "description") == "" {
			found = append(found, address(b)+" has no description")
		}
	}
	return found
}
