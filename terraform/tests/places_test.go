package tests

import (
	"regexp"
	"slices"
	"strings"
)

// No provider is configured, since a module that does so can be used only once, and
// not be tested from without. What a resource leaves out would be taken from whatever
// the caller's provider has, or be missing.

// wholes are what these belong to and are named by: they have no project of their own.
var wholes = map[string]string{
	"google_kms_crypto_key_iam_member":     "crypto_key_id",
	"google_project":                       "project_id",
	"google_secret_manager_secret_version": "secret",
	"google_service_account_iam_member":    "service_account_id",
	"google_storage_bucket_iam_member":     "bucket",
	"google_storage_bucket_object":         "bucket",
}

// regional are resources whose region may be left out.
var regional = regexp.MustCompile(`^google_compute_(region_.*|address|forwarding_rule|subnetwork_.*|router.*)$`)

// located are resources whose location may be left out.
var located = regexp.MustCompile(`^google_(artifact_registry_repository.*|bigquery_(dataset|job)|(cloud_run_v2|cloudfunctions2)_.*_iam_member)$`)

// labelled are resources that can have labels.
var labelled = []string{
	"google_artifact_registry_repository", "google_bigquery_dataset", "google_bigquery_job", "google_bigquery_table", "google_cloud_run_v2_service",
	"google_cloudfunctions2_function", "google_compute_address", "google_compute_forwarding_rule", "google_compute_instance_template",
	"google_pubsub_subscription", "google_pubsub_topic", "google_secret_manager_secret", "google_storage_bucket",
}

// placesOf returns the attributes that a resource has to have.
func placesOf(kind string) []string {
	names := []string{"project"}
	if whole, ok := wholes[kind]; ok {
		names = []string{whole}
	}
	if regional.MatchString(kind) {
		names = append(names, "region")
	}
	if located.MatchString(kind) {
		names = append(names, "location")
	}
	if slices.Contains(labelled, kind) {
		names = append(names, "labels")
	}
	return names
}

func leftOut(m module) (found []string) {
	for _, b := range slices.Concat(m.blocks("resource"), m.blocks("data")) {
		if !strings.HasPrefix(b.Labels[0], "google_") {
			continue
		}
		left := slices.DeleteFunc(placesOf(b.Labels[0]), func(name string) bool { return b.Body.Attributes[name] != nil })
		if len(left) > 0 {
			found = append(found, address(b)+" leaves out "+strings.Join(left, ", "))
		}
	}
	return found
}

func configuredProviders(m module) (found []string) {
	for _, b := range m.blocks("provider") {
		found = append(found, address(b)+" is configured: whoever calls the module does that")
	}
	return found
}
