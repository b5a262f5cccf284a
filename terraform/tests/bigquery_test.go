package tests

import (
	"slices"
	"testing"

	"github.com/hashicorp/hcl/v2"

	"github.com/aerosink/aerosink/function/google"
	"github.com/aerosink/aerosink/function/sink"
)

// The function accepts the URL of the BigQuery sink, and reads bins for it.
func TestBigQuerySinks_parse(t *testing.T) {
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
		t.Errorf("sinks by default: %v, want none", urls)
	}
}

// The sinks refer to the subscription, so that the function gets the topic only after the
// subscription exists: messages published earlier would be lost.
func TestBigQuerySinks_afterSubscription(t *testing.T) {
	refers := func(to hcl.Traversal) bool { return to.RootName() == "google_pubsub_subscription" }
	if !slices.ContainsFunc(newPlan(t, variables()).locals["bigquery_sinks"].Variables(), refers) {
		t.Error("the sinks do not refer to the subscription")
	}
}

// A job sets the table's max_staleness. The table's resource has none, so it must ignore
// the attribute.
func TestBigQueryTable_ignoresMaxStaleness(t *testing.T) {
	resources := newPlan(t, variables()).resources
	ignored := child(resources["google_bigquery_table"]["records"], "lifecycle").Attributes["ignore_changes"]
	if ignored == nil || !slices.ContainsFunc(ignored.Expr.Variables(), func(to hcl.Traversal) bool { return to.RootName() == "max_staleness" }) {
		t.Error("ignore_changes has no max_staleness; a later apply would remove it")
	}
}
