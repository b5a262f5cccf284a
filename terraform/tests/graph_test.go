package tests

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// graph is which resources and data sources of a module depend on which others, as
// Terraform sees it before it knows any value: a reference counts even where a count is
// 0 or a condition does not choose it.
type graph map[string][]string

// newGraph returns the direct dependencies of each resource and data source. References
// to locals count as references to what the locals refer to.
func newGraph(m module) graph {
	locals, g := map[string]hclsyntax.Expression{}, graph{}
	for _, b := range m.blocks("locals") {
		for name, a := range b.Body.Attributes {
			locals[name] = a.Expr
		}
	}
	blocks := slices.Concat(m.blocks("resource"), m.blocks("data"))
	for _, b := range blocks {
		g[address(b)] = nil
	}
	for _, b := range blocks {
		seen := map[string]bool{}
		g.collect(b.Body, locals, seen)
		delete(seen, address(b))
		for to := range seen {
			if _, ok := g[to]; ok {
				g[address(b)] = append(g[address(b)], to)
			}
		}
		slices.Sort(g[address(b)])
	}
	return g
}

// collect adds what a node refers to, directly or through locals.
func (g graph) collect(n hclsyntax.Node, locals map[string]hclsyntax.Expression, seen map[string]bool) {
	_ = hclsyntax.VisitAll(n, func(n hclsyntax.Node) hcl.Diagnostics {
		e, ok := n.(*hclsyntax.ScopeTraversalExpr)
		if !ok {
			return nil
		}
		to := referent(e.Traversal)
		if to == "" || seen[to] {
			return nil
		}
		seen[to] = true
		if name, ok := strings.CutPrefix(to, "local."); ok && locals[name] != nil {
			g.collect(locals[name], locals, seen)
		}
		return nil
	})
}

// all returns everything that a resource depends on, directly or not.
func (g graph) all(of string) []string {
	seen := map[string]bool{}
	var visit func(string)
	visit = func(at string) {
		for _, to := range g[at] {
			if !seen[to] {
				seen[to] = true
				visit(to)
			}
		}
	}
	visit(of)
	var found []string
	for to := range seen {
		found = append(found, to)
	}
	slices.Sort(found)
	return found
}

// referent returns the address that a reference is to, without index and attribute:
// local.NAME, KIND.NAME or data.KIND.NAME. It is "" for a name within an expression.
func referent(to hcl.Traversal) string {
	names := attributesOf(to)
	n := 2
	if names[0] == "data" {
		n = 3
	}
	if len(names) < n {
		return ""
	}
	return strings.Join(names[:n], ".")
}

// attributesOf returns the names in a reference, without indexes.
func attributesOf(to hcl.Traversal) []string {
	var names []string
	for _, step := range to {
		switch step := step.(type) {
		case hcl.TraverseRoot:
			names = append(names, step.Name)
		case hcl.TraverseAttr:
			names = append(names, step.Name)
		}
	}
	return names
}

// use is a reference to a resource or data source: its address, and the attribute that is
// read, or "" where all of it is.
type use struct{ of, attribute string }

// uses returns the references in a node, also those to an instance that an expression
// chooses: KIND.NAME[each.key].ATTRIBUTE.
func uses(n hclsyntax.Node) []use {
	var found []use
	chosen := map[hclsyntax.Node]bool{}
	_ = hclsyntax.VisitAll(n, func(n hclsyntax.Node) hcl.Diagnostics {
		switch n := n.(type) {
		case *hclsyntax.RelativeTraversalExpr:
			index, ok := n.Source.(*hclsyntax.IndexExpr)
			if !ok {
				break
			}
			if instances, ok := index.Collection.(*hclsyntax.ScopeTraversalExpr); ok {
				chosen[instances] = true
				found = append(found, newUse(slices.Concat(instances.Traversal, n.Traversal)))
			}
		case *hclsyntax.ScopeTraversalExpr:
			if !chosen[n] {
				found = append(found, newUse(n.Traversal))
			}
		}
		return nil
	})
	return slices.DeleteFunc(found, func(r use) bool { return r.of == "" })
}

func newUse(to hcl.Traversal) use {
	r := use{of: referent(to)}
	if rest := attributesOf(to)[strings.Count(r.of, ".")+1:]; len(rest) > 0 {
		r.attribute = rest[0]
	}
	return r
}
