package tests

import (
	"regexp"
	"slices"
	"strings"
)

// The modules configure no provider: a module that does cannot be used with count or
// for_each, and cannot be tested with mocks. So each resource must set what would otherwise
// come from the caller's provider or be missing.

// parents are resources without a project of their own, with the attribute that names their
// parent.
var parents = map[string]string{
	"google_kms_crypto_key_iam_member":     "crypto_key_id",
	"google_project":                       "project_id",
	"google_secret_manager_secret_version": "secret",
	"google_service_account_iam_member":    "service_account_id",
	"google_storage_bucket_iam_member":     "bucket",
	"google_storage_bucket_object":         "bucket",
}

// regional matches resources whose region is optional.
var regional = regexp.MustCompile(`^google_compute_(region_.*|address|forwarding_rule|subnetwork_.*|router.*)$`)

// located matches resources whose location is optional.
var located = regexp.MustCompile(`^google_(artifact_registry_repository.*|bigquery_(dataset|job)|(cloud_run_v2|cloudfunctions2)_.*_iam_member)$`)

// labeled are resources that can have labels.
var labeled = []string{
	"google_artifact_registry_repository", "google_bigquery_dataset", "google_bigquery_job", "google_bigquery_table", "google_cloud_run_v2_service",
	"google_cloudfunctions2_function", "google_compute_address", "google_compute_forwarding_rule", "google_compute_instance_template",
	"google_pubsub_subscription", "google_pubsub_topic", "google_secret_manager_secret", "google_storage_bucket",
}

// requiredAttributes returns the attributes that a kind of resource must set.
func requiredAttributes(kind string) []string {
	names := []string{"project"}
	if parent, ok := parents[kind]; ok {
		names = []string{parent}
	}
	if regional.MatchString(kind) {
		names = append(names, "region")
	}
	if located.MatchString(kind) {
		names = append(names, "location")
	}
	if slices.Contains(labeled, kind) {
		names = append(names, "labels")
	}
	return names
}

// missingAttributes finds resources and data sources without a required attribute.
func missingAttributes(m module) (found []string) {
	for _, b := range slices.Concat(m.blocks("resource"), m.blocks("data")) {
		if !strings.HasPrefix(b.Labels[0], "google_") {
			continue
		}
		left := slices.DeleteFunc(requiredAttributes(b.Labels[0]), func(name string) bool { return b.Body.Attributes[name] != nil })
		if len(left) > 0 {
			found = append(found, address(b)+" leaves out "+strings.Join(left, ", "))
		}
	}
	return found
}

// configuredProviders finds provider blocks.
func configuredProviders(m module) (found []string) {
	for _, b := range m.blocks("provider") {
		found = append(found, address(b)+": only the caller of the module may configure providers")
	}
	return found
}
