package tests

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclwrite"
)

// rule finds violations in a module. Each of its bad examples breaks it once.
type rule struct {
	findings func(module) []string
	bad      []bad
}

// bad is a file that breaks a rule.
type bad struct {
	text   string
	found  string // part of the finding
	inTest bool   // the file is a test
}

var rules = []rule{
	{unformatted, []bad{{"a=1\n", "terraform fmt", false}, {"a=1\n", "terraform fmt", true}}},
	{foreignProviders, []bad{{"terraform {\n  required_providers {\n    random = { source = \"hashicorp/random\" }\n  }\n}", "hashicorp/random", false}}},
	{foreignResources, []bad{{`resource "random_id" "a" {}`, "random_id.a", false}, {`data "archive_file" "a" {}`, "data.archive_file.a", false}}},
	{incompleteVariables, []bad{
		{"variable \"a\" {\n  description = \"A.\"\n  nullable = false\n}", "no type", false},
		{"variable \"a\" {\n  type = bool\n  nullable = false\n}", "no description", false},
		{"variable \"a\" {\n  description = \"A.\"\n  type = bool\n  default = true\n}", "nullable", false},
		{"variable \"a\" {\n  description = \"A.\"\n  type = string\n  nullable = false\n}", "validation", false},
	}},
	{undescribedAttributes, []bad{{"variable \"a\" {\n  description = \"size: of it.\"\n  type = object({ size = number, max_age = optional(number, 1) })\n}", "max_age", false}}},
	{undescribedOutputs, []bad{{`output "a" { value = 1 }`, "output.a", false}}},
	{broadGrants, []bad{
		{`resource "google_project_iam_member" "a" { role = "roles/editor" }`, "roles/editor", false},
		{`resource "google_storage_bucket_iam_member" "a" { member = "allUsers" }`, "allUsers", false},
	}},
	{exclusiveGrants, []bad{{`resource "google_pubsub_topic_iam_binding" "a" {}`, "google_pubsub_topic_iam_binding.a", false}}},
	{projectGrants, []bad{{`resource "google_project_iam_member" "a" { role = "roles/storage.admin" }`, "roles/storage.admin", false}}},
	{untestedGrants, []bad{{`resource "google_pubsub_topic_iam_member" "a" {}`, "google_pubsub_topic_iam_member.a", false}}},
	{storedSecrets, []bad{{`resource "google_secret_manager_secret_version" "a" { secret_data = var.a }`, "secret_data", false}}},
	{expiringSubscriptions, []bad{
		{`resource "google_pubsub_subscription" "a" {}`, "google_pubsub_subscription.a", false},
		{"resource \"google_pubsub_subscription\" \"a\" {\n  expiration_policy {\n    ttl = \"86400s\"\n  }\n}", "google_pubsub_subscription.a", false},
	}},
	{undocumentedAlerts, []bad{{`resource "google_monitoring_alert_policy" "a" {}`, "google_monitoring_alert_policy.a", false}}},
	{publicBuckets, []bad{{"resource \"google_storage_bucket\" \"a\" {\n  uniform_bucket_level_access = true\n}", "google_storage_bucket.a", false}}},
	{unencrypted, []bad{
		{`resource "google_pubsub_topic" "a" {}`, "google_pubsub_topic.a does not set kms_key_name", false},
		{`resource "google_pubsub_topic" "a" { kms_key_name = "projects/p" }`, "google_pubsub_topic.a does not set kms_key_name", false},
		{`resource "google_pubsub_topic" "a" { kms_key_name = var.kms_key }`, "google_pubsub_topic.a does not depend on the grant", false},
		{"resource \"google_bigquery_dataset\" \"a\" {\n  depends_on = [google_kms_crypto_key_iam_member.a]\n}", "google_bigquery_dataset.a does not set kms_key_name", false},
	}},
	{refusedLate, []bad{{"resource \"google_compute_address\" \"a\" {\n  deletion_policy = local.deletion_policy\n}\nresource \"google_compute_region_per_instance_config\" \"b\" {\n  lifecycle {\n    replace_triggered_by = [google_compute_address.a.id]\n  }\n}", "google_compute_region_per_instance_config.b would be deleted before google_compute_address.a", false}}},
	{leftInPlace, []bad{
		{`resource "google_compute_forwarding_rule" "a" { ip_address = google_compute_address.b[0].address }`, "google_compute_forwarding_rule.a uses google_compute_address.b", false},
		{"resource \"google_compute_region_backend_service\" \"a\" {\n  backend {\n    group = google_compute_region_instance_group_manager.b.instance_group\n  }\n  lifecycle {\n    replace_triggered_by = [google_compute_address.b.id]\n  }\n}", "google_compute_region_backend_service.a uses", false},
	}},
	{missingAttributes, []bad{
		{`resource "google_storage_bucket" "a" { labels = {} }`, "google_storage_bucket.a leaves out project", false},
		{`resource "google_compute_address" "a" { project = "p" }`, "google_compute_address.a leaves out region, labels", false},
		{`data "google_project" "this" {}`, "data.google_project.this leaves out project_id", false},
	}},
	{configuredProviders, []bad{{`provider "google" {}`, "provider.google", false}}},
	{takenNames, []bad{
		{"locals {\n  sink = google_pubsub_topic.b.name\n}\nresource \"google_pubsub_topic\" \"b\" {}\nresource \"google_compute_instance_template\" \"a\" {\n  name_prefix = local.sink\n  lifecycle {\n    create_before_destroy = true\n  }\n}", "google_pubsub_topic.b is created before", false},
		{"resource \"google_storage_bucket_iam_member\" \"b\" {}\nresource \"google_compute_instance_template\" \"a\" {\n  depends_on = [terraform_data.c]\n  lifecycle {\n    create_before_destroy = true\n  }\n}\nresource \"terraform_data\" \"c\" {\n  depends_on = [google_storage_bucket_iam_member.b]\n}", "google_storage_bucket_iam_member.b is created before", false},
		{"resource \"google_secret_manager_secret\" \"a\" {\n  secret_id = \"${var.prefix}-a\"\n  lifecycle {\n    create_before_destroy = true\n  }\n}", "its name is the same", false},
	}},
	{lostWithOwner, []bad{
		{`resource "google_pubsub_topic_iam_member" "a" { topic = google_pubsub_topic.b.name }`, "google_pubsub_topic_iam_member.a is not replaced together with google_pubsub_topic.b", false},
		{`resource "google_storage_bucket_object" "a" { bucket = google_storage_bucket.b[0].name }`, "google_storage_bucket_object.a is not replaced together with google_storage_bucket.b", false},
		{`resource "google_pubsub_subscription_iam_member" "a" { subscription = google_pubsub_subscription.b[each.key].name }`, "google_pubsub_subscription_iam_member.a is not replaced", false},
	}},
	{unsent, []bad{{"resource \"google_artifact_registry_repository\" \"a\" {\n  docker_config {\n    immutable_tags = false\n  }\n}", "google_artifact_registry_repository.a.docker_config", false}}},
	{unprotected, []bad{
		{`resource "google_pubsub_topic" "a" {}`, "google_pubsub_topic.a", false},
		{`resource "google_compute_address" "a" { deletion_policy = "DELETE" }`, "google_compute_address.a", false},
	}},
	{unguarded, []bad{{"resource \"google_pubsub_topic\" \"a\" {\n  deletion_policy = local.deletion_policy\n}\nresource \"google_compute_firewall\" \"b\" {}", "google_compute_firewall.b may be deleted before google_pubsub_topic.a", false}}},
	{newFeatures, []bad{
		{"terraform {\n  required_providers {\n    google = { source = \"hashicorp/google\", version = \"~> 7.21\" }\n  }\n}\nresource \"google_compute_region_backend_service\" \"a\" {\n  connection_tracking_policy {}\n}", "google_compute_region_backend_service.a.connection_tracking_policy needs version 7.32", false},
		{"terraform {\n  required_providers {\n    google = { source = \"hashicorp/google\", version = \">= 7.32, < 9\" }\n  }\n}\nresource \"google_pubsub_topic\" \"a\" {\n  deletion_policy = \"PREVENT\"\n}", "google_pubsub_topic.a.deletion_policy needs version 7.33", false},
	}},
	{leavesExample, []bad{{"module \"a\" {\n  source = \"../..\"\n  config = file(\"${path.module}/../../templates/a\")\n}", "outside its folder", false}}},
	{foreignModules, []bad{{`module "a" { source = "github.com/x/y" }`, "github.com/x", false}}},
}

func unformatted(m module) (found []string) {
	for _, f := range m.files {
		if !bytes.Equal(hclwrite.Format(f.text), f.text) {
			found = append(found, f.name+" is not as terraform fmt writes it")
		}
	}
	return found
}

func foreignProviders(m module) (found []string) {
	for _, b := range m.blocks("terraform") {
		for name, a := range child(b.Body, "required_providers").Attributes {
			value, diags := a.Expr.Value(nil)
			if diags.HasErrors() || name != m.cloud() || value.GetAttr("source").AsString() != "hashicorp/"+m.cloud() {
				found = append(found, fmt.Sprintf("provider %s with source %s; only hashicorp/%s is allowed", name, value.GetAttr("source").AsString(), m.cloud()))
			}
		}
	}
	return found
}

func foreignResources(m module) (found []string) {
	for _, b := range slices.Concat(m.blocks("resource"), m.blocks("data"), m.blocks("ephemeral")) {
		if !strings.HasPrefix(b.Labels[0], m.cloud()+"_") && b.Labels[0] != "terraform_data" {
			found = append(found, address(b)+" is not of the provider "+m.cloud())
		}
	}
	return found
}

func expiringSubscriptions(m module) (found []string) {
	for _, b := range m.blocks("resource", "google_pubsub_subscription") {
		ttl := child(b.Body, "expiration_policy").Attributes["ttl"]
		if ttl == nil || literal(child(b.Body, "expiration_policy"), "ttl") != "" {
			found = append(found, address(b)+` is deleted when nobody reads it for 31 days; expiration_policy { ttl = "" } keeps it`)
		}
	}
	return found
}

func undocumentedAlerts(m module) (found []string) {
	for _, b := range m.blocks("resource", "google_monitoring_alert_policy") {
		if child(b.Body, "documentation").Attributes["content"] == nil {
			found = append(found, address(b)+" has no documentation")
		}
	}
	return found
}

func publicBuckets(m module) (found []string) {
	for _, b := range m.blocks("resource", "google_storage_bucket") {
		if literal(b.Body, "uniform_bucket_level_access") != "true" || literal(b.Body, "public_access_prevention") != "enforced" {
			found = append(found, address(b)+` needs uniform_bucket_level_access and public_access_prevention = "enforced"`)
		}
	}
	return found
}

func foreignModules(m module) (found []string) {
	for _, b := range m.blocks("module") {
		if source := literal(b.Body, "source"); source != "../.." {
			found = append(found, fmt.Sprintf("%s has source %s, want ../..", address(b), source))
		}
	}
	return found
}
