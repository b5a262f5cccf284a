package tests

import (
	"slices"
	"testing"

	"github.com/hashicorp/hcl/v2"

	"github.com/aerosink/aerosink/function/google"
	"github.com/aerosink/aerosink/function/sink"
)

// What the function is told of BigQuery it understands, and reads bins for.
func TestSinksForBigQuery(t *testing.T) {
	for _, changes := range []string{`{}`, `{ enforce_in_transit = true, ordering = 16 }`} {
		urls := newPlan(t, variables("bigquery", `{}`, "changes", changes)).urls("bigquery_sinks")
		if len(urls) != 1 {
			t.Fatalf("%d sinks", len(urls))
		}
		if spec, err := google.Sinks().Parse(urls[0], sink.Options{}); err != nil || !spec.Bins {
			t.Errorf("%s: reads bins %t, error %v", urls[0], spec.Bins, err)
		}
	}
	if urls := newPlan(t, variables()).urls("bigquery_sinks"); len(urls) > 0 {
		t.Errorf("by default %v", urls)
	}
}

// The function is not told of a topic whose messages would be nobody's: what Terraform
// tells it waits for the subscription.
func TestSinksForBigQueryWait(t *testing.T) {
	refers := func(to hcl.Traversal) bool { return to.RootName() == "google_pubsub_subscription" }
	if !slices.ContainsFunc(newPlan(t, variables()).locals["bigquery_sinks"].Variables(), refers) {
		t.Error("the sinks do not refer to the subscription")
	}
}

// The job has set the table's max_staleness: Terraform, to which the table has none,
// leaves it alone.
func TestStalenessStays(t *testing.T) {
	resources := newPlan(t, variables()).resources
	ignored := child(resources["google_bigquery_table"]["records"], "lifecycle").Attributes["ignore_changes"]
	if ignored == nil || !slices.ContainsFunc(ignored.Expr.Variables(), func(to hcl.Traversal) bool { return to.RootName() == "max_staleness" }) {
		t.Error("an apply after the job takes it away")
	}
}
