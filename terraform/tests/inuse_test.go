package tests

import (
	"fmt"
	"slices"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// inUse are kinds of resources that Google does not delete while another uses them, and
// whose names stay the same when they are replaced. Terraform then sees no change in what
// uses them, and leaves it alone.
var inUse = []string{"google_compute_address", "google_compute_region_backend_service", "google_compute_region_instance_group_manager"}

// leftInPlace finds resources that use one of those, and are not replaced with it.
func leftInPlace(m module) (found []string) {
	for _, b := range m.blocks("resource") {
		lifecycle := child(b.Body, "lifecycle")
		for _, used := range references(b.Body, lifecycle, inUse) {
			if !slices.Contains(references(lifecycle, nil, inUse), used) {
				found = append(found, fmt.Sprintf("%s uses %s, and is not replaced with it; add it to replace_triggered_by", address(b), used))
			}
		}
	}
	return found
}

// refusedLate finds resources that are not protected, but are replaced with one that is.
// Terraform deletes them first, and then meets the refusal: a changed subnetwork would
// delete the machines and keep their addresses.
func refusedLate(m module) (found []string) {
	bodies := map[string]*hclsyntax.Body{}
	for _, b := range m.blocks("resource") {
		bodies[address(b)] = b.Body
	}
	for _, b := range m.blocks("resource") {
		for _, with := range references(child(b.Body, "lifecycle"), nil, inUse) {
			if of := bodies[with]; of != nil && isProtected(of) && !isProtected(b.Body) {
				found = append(found, fmt.Sprintf("%s would be deleted before %s refuses to be replaced; protect it too", address(b), with))
			}
		}
	}
	return found
}

// With another subnetwork the group is replaced, and so all that uses it or its addresses.
func TestConnectorGroup_replacedWithSubnetwork(t *testing.T) {
	group := newPlan(t, variables()).resources["google_compute_region_instance_group_manager"]["connector"]
	if got := references(child(group, "lifecycle"), nil, []string{"terraform_data"}); !slices.Equal(got, []string{"terraform_data.connector_subnetwork"}) {
		t.Errorf("replaced with %q", got)
	}
}

// references returns the addresses of resources of some kinds that a body refers to, except
// in depends_on and in one of its blocks.
func references(body, except *hclsyntax.Body, kinds []string) (found []string) {
	collect := func(n hclsyntax.Node) hcl.Diagnostics {
		e, ok := n.(*hclsyntax.ScopeTraversalExpr)
		if !ok || !slices.Contains(kinds, e.Traversal.RootName()) || len(e.Traversal) < 2 {
			return nil
		}
		if name, ok := e.Traversal[1].(hcl.TraverseAttr); ok {
			found = append(found, e.Traversal.RootName()+"."+name.Name)
		}
		return nil
	}
	for name, a := range body.Attributes {
		if name != "depends_on" {
			_ = hclsyntax.VisitAll(a, collect)
		}
	}
	for _, b := range body.Blocks {
		if b.Body != except {
			_ = hclsyntax.VisitAll(b.Body, collect)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}
