package tests

import (
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Subscriptions that write to BigQuery or Cloud Storage depend on their grants, and the
// grants pause until they take effect: Pub/Sub checks them when a subscription is created.
func TestExportSubscriptions_waitForGrants(t *testing.T) {
	resources, exports := newPlan(t, variables()).resources, 0
	for name, s := range resources["google_pubsub_subscription"] {
		if len(child(s, "bigquery_config").Attributes)+len(child(s, "cloud_storage_config").Attributes) == 0 {
			continue
		}
		exports++
		grants := 0
		for _, to := range s.Attributes["depends_on"].Expr.Variables() {
			kind, of := to.RootName(), to[1].(hcl.TraverseAttr).Name
			if strings.HasSuffix(kind, "_iam_member") && pausesAfterCreate(resources[kind][of]) {
				grants++
			}
		}
		if grants < 2 {
			t.Errorf("subscription %s waits for %d grants, want at least 2: to write, and to act as the account that may", name, grants)
		}
	}
	if exports != 2 {
		t.Errorf("%d export subscriptions, want 2", exports)
	}
}

// Grants on the customer's key pause until they take effect.
func TestKeyGrants_pause(t *testing.T) {
	for name, grant := range newPlan(t, variables()).resources["google_kms_crypto_key_iam_member"] {
		if !pausesAfterCreate(grant) {
			t.Errorf("the grant %s has no pause", name)
		}
	}
}

// pausesAfterCreate reports whether an apply sleeps after creating a resource, and
// continues even if the command fails.
func pausesAfterCreate(resource *hclsyntax.Body) bool {
	provisioner := child(resource, "provisioner")
	onFailure := provisioner.Attributes["on_failure"]
	return strings.HasPrefix(literal(provisioner, "command"), "sleep ") && onFailure != nil && hcl.ExprAsKeyword(onFailure.Expr) == "continue"
}

// Grants to Pub/Sub's service agent refer to a Pub/Sub resource: in a new project the agent
// exists only after the first topic has been created.
func TestPubSubAgentGrants_waitForAgent(t *testing.T) {
	grants := 0
	for kind, byName := range newPlan(t, variables()).resources {
		for name, resource := range byName {
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
				t.Errorf("%s.%s does not refer to a Pub/Sub resource", kind, name)
			}
		}
	}
	if grants < 6 {
		t.Errorf("%d grants to Pub/Sub's service agent, want at least 6", grants)
	}
}
