package tests

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// valuable are kinds that hold data, or that others know by a name or an address that a new
// one would not have: an account of the same name has none of the old one's grants.
var valuable = []string{
	"google_artifact_registry_repository", "google_bigquery_dataset", "google_bigquery_table", "google_cloud_run_v2_service",
	"google_cloudfunctions2_function", "google_compute_address", "google_pubsub_subscription", "google_pubsub_topic",
	"google_service_account", "google_storage_bucket",
}

// unprotected finds such resources that deletion_protection does not protect. A bucket
// that is always emptied holds copies only, and what an example adds is its user's to
// protect.
func unprotected(m module) (found []string) {
	if m.isExample() {
		return nil
	}
	for _, b := range m.blocks("resource", valuable...) {
		if !isProtected(b.Body) && literal(b.Body, "force_destroy") != "true" {
			found = append(found, address(b)+" holds data or is known to others, and can be deleted by mistake; set deletion_policy")
		}
	}
	return found
}

// isProtected reports whether a resource is protected from deletion by a variable.
func isProtected(body *hclsyntax.Body) bool {
	for _, name := range []string{"deletion_policy", "deletion_protection"} {
		if a, ok := body.Attributes[name]; ok && len(a.Expr.Variables()) > 0 {
			return true
		}
	}
	return false
}

// unguarded finds resources that a refused destroy deletes all the same. Terraform deletes
// a resource only after all that depend on it, so one that is protected and depends on all
// others is refused before anything is deleted.
func unguarded(m module) (found []string) {
	g := newGraph(m)
	guard, guarded := "", []string(nil)
	for _, b := range m.blocks("resource") {
		if all := g.all(address(b)); isProtected(b.Body) && (guard == "" || len(all) > len(guarded)) {
			guard, guarded = address(b), all
		}
	}
	for of := range g {
		if guard != "" && of != guard && !strings.HasPrefix(of, "data.") && !slices.Contains(guarded, of) {
			found = append(found, fmt.Sprintf("%s may be deleted before %s refuses to be; the latter has to depend on it", of, guard))
		}
	}
	slices.Sort(found)
	return found
}
