package tests

import (
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Pub/Sub writes by grants that hold before it is asked to.
func TestExportsWait(t *testing.T) {
	resources, exports := newPlan(t, variables()).resources, 0
	for name, s := range resources["google_pubsub_subscription"] {
		if len(child(s, "bigquery_config").Attributes)+len(child(s, "cloud_storage_config").Attributes) == 0 {
			continue
		}
		exports++
		grants := 0
		for _, to := range s.Attributes["depends_on"].Expr.Variables() {
			kind, of := to.RootName(), to[1].(hcl.TraverseAttr).Name
			if strings.HasSuffix(kind, "_iam_member") && pauses(resources[kind][of]) {
				grants++
			}
		}
		if grants < 2 {
			t.Errorf("the subscription %s waits for %d grants, of one to write and one to do so as the account that may", name, grants)
		}
	}
	if exports != 2 {
		t.Errorf("%d subscriptions write by themselves", exports)
	}
}

// What uses the customer's key meets with grants that hold.
func TestKeyWaits(t *testing.T) {
	for name, grant := range newPlan(t, variables()).resources["google_kms_crypto_key_iam_member"] {
		if !pauses(grant) {
			t.Errorf("the grant %s may not hold yet when it is needed", name)
		}
	}
}

// pauses reports whether an apply waits after a resource was made, and goes on however
// that ends.
func pauses(resource *hclsyntax.Body) bool {
	provisioner := child(resource, "provisioner")
	onFailure := provisioner.Attributes["on_failure"]
	return strings.HasPrefix(literal(provisioner, "command"), "sleep ") && onFailure != nil && hcl.ExprAsKeyword(onFailure.Expr) == "continue"
}

// Nothing is granted to Pub/Sub's own account before there is one, which in a new
// project it is with the first topic.
func TestGrantsToPubSubWait(t *testing.T) {
	grants := 0
	for kind, named := range newPlan(t, variables()).resources {
		for name, resource := range named {
			if member := resource.Attributes["member"]; member == nil || !refers(member.Expr, "local", "pubsub_agent") {
				continue
			}
			grants++
			waits := false
			for _, a := range resource.Attributes {
				for _, to := range a.Expr.Variables() {
					waits = waits || strings.HasPrefix(to.RootName(), "google_pubsub_")
				}
			}
			if !waits {
				t.Errorf("%s.%s waits for nothing of Pub/Sub", kind, name)
			}
		}
	}
	if grants < 6 {
		t.Errorf("%d grants", grants)
	}
}
