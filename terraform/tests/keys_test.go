package tests

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// keyAttributes has the kinds of resources that store something and can use a
// customer-managed key, with the attribute that names it. Where an organisation requires
// keys, Google refuses to create one without. An object has its bucket's key, and a
// BigQuery job that only changes a table's options stores nothing.
var keyAttributes = map[string]string{
	"google_artifact_registry_repository": "kms_key_name",
	"google_bigquery_dataset":             "kms_key_name",
	"google_bigquery_table":               "kms_key_name",
	"google_cloud_run_v2_service":         "encryption_key",
	"google_cloudfunctions2_function":     "kms_key_name",
	"google_compute_instance_template":    "kms_key_self_link",
	"google_pubsub_topic":                 "kms_key_name",
	"google_secret_manager_secret":        "kms_key_name",
	"google_storage_bucket":               "default_kms_key_name",
}

// laterGrants are resources that do not use the key themselves, with the one that does and
// waits for its grant.
var laterGrants = map[string]string{
	"google_compute_instance_template.connector": "google_compute_region_instance_group_manager.connector",
}

// unencrypted finds resources without var.kms_key, or that do not wait until Google's service
// agent may use it. Examples leave the key to our module.
func unencrypted(m module) (found []string) {
	if m.isExample() {
		return nil
	}
	resources := map[string]*hclsyntax.Block{}
	for _, b := range m.blocks("resource") {
		resources[address(b)] = b
	}
	for _, b := range m.blocks("resource") {
		attribute, ok := keyAttributes[b.Labels[0]]
		if !ok {
			continue
		}
		waits := b
		if other, ok := laterGrants[address(b)]; ok {
			waits = resources[other]
		}
		switch {
		case !hasAttribute(b.Body, attribute) || !strings.Contains(m.text(b), "var.kms_key"):
			found = append(found, fmt.Sprintf("%s does not set %s to var.kms_key", address(b), attribute))
		case waits == nil || !strings.Contains(m.source(dependsOn(waits)), "google_kms_crypto_key_iam_member."):
			found = append(found, address(b)+" does not depend on the grant of the key")
		}
	}
	return found
}

// hasAttribute reports whether a body or a block in it has an attribute.
func hasAttribute(body *hclsyntax.Body, name string) bool {
	if body.Attributes[name] != nil {
		return true
	}
	for _, b := range body.Blocks {
		if hasAttribute(b.Body, name) {
			return true
		}
	}
	return false
}

// dependsOn returns the expression of depends_on, or an empty one.
func dependsOn(b *hclsyntax.Block) hclsyntax.Expression {
	if a := b.Body.Attributes["depends_on"]; a != nil {
		return a.Expr
	}
	return &hclsyntax.TupleConsExpr{}
}
