package tests

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
)

// awsRules are those of the modules for AWS only.
var awsRules = []rule{
	{awsForeign, []bad{
		{"terraform {\n  required_providers {\n    google = { source = \"hashicorp/google\" }\n  }\n}", "hashicorp/google", false},
		{`resource "google_storage_bucket" "a" {}`, "google_storage_bucket.a", false},
	}},
	{awsUnset, []bad{
		{`resource "aws_sqs_queue" "a" { tags = {} }`, "aws_sqs_queue.a leaves out region", false},
		{`resource "aws_iam_role" "a" {}`, "aws_iam_role.a leaves out tags", false},
		{`resource "aws_s3_bucket_policy" "a" { bucket = "a" }`, "aws_s3_bucket_policy.a leaves out region", false},
	}},
	{awsUnencrypted, []bad{
		{`resource "aws_sqs_queue" "a" {}`, "aws_sqs_queue.a does not set kms_master_key_id", false},
		{`resource "aws_kinesis_stream" "a" { kms_key_id = "alias/aws/kinesis" }`, "aws_kinesis_stream.a does not set kms_key_id", false},
	}},
	{awsUnguardedBuckets, []bad{{`resource "aws_s3_bucket" "a" {}`, "aws_s3_bucket.a", false}}},
	{awsUnguardedQueues, []bad{{`resource "aws_sqs_queue" "a" {}`, "aws_sqs_queue.a", false}}},
	{awsStoredSecrets, []bad{
		{`resource "aws_secretsmanager_secret_version" "a" {}`, "aws_secretsmanager_secret_version.a", false},
		{`data "aws_secretsmanager_secret_version" "a" {}`, "data.aws_secretsmanager_secret_version.a", false},
	}},
}

// awsForeign are the rules about providers that hold in every module.
func awsForeign(m module) []string { return slices.Concat(foreignProviders(m), foreignResources(m)) }

// awsUnset finds resources that leave out region or tags although they can have them. Without
// region they would be in the one that the caller's provider has.
func awsUnset(m module) (found []string) {
	for _, b := range m.blocks("resource") {
		kind, ok := awsKinds()[b.Labels[0]]
		if !ok {
			continue
		}
		for _, name := range []string{"region", "tags"} {
			if _, has := kind.Block.Attributes[name]; has && b.Body.Attributes[name] == nil {
				found = append(found, address(b)+" leaves out "+name)
				break
			}
		}
	}
	return found
}

// awsKinds returns the schema of the resources.
func awsKinds() map[string]struct{ Block schemaBlock } {
	var s providerSchema
	text, err := os.ReadFile(awsSchema)
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil {
		panic(fmt.Sprintf("%s: %v", awsSchema, err))
	}
	return s.Resources
}

// awsKeys are the attributes that name the key of what is stored.
var awsKeys = map[string]string{
	"aws_cloudwatch_log_group": "kms_key_id", "aws_kinesis_stream": "kms_key_id", "aws_lambda_function": "kms_key_arn",
	"aws_secretsmanager_secret": "kms_key_id", "aws_sqs_queue": "kms_master_key_id",
}

// awsUnencrypted finds resources that do not use the key that the caller may choose.
func awsUnencrypted(m module) (found []string) {
	if m.isExample() {
		return nil
	}
	for _, b := range m.blocks("resource") {
		name, ok := awsKeys[b.Labels[0]]
		if a := b.Body.Attributes[name]; ok && (a == nil || !strings.Contains(m.source(a.Expr), "local.kms_key")) {
			found = append(found, address(b)+" does not set "+name+" to local.kms_key")
		}
	}
	return found
}

// awsUnguardedBuckets finds buckets that are not among local.buckets, which have access
// blocks, encryption and policies.
func awsUnguardedBuckets(m module) []string { return unlisted(m, "aws_s3_bucket", "buckets") }

// awsUnguardedQueues finds queues that are not among local.queues, which have policies.
func awsUnguardedQueues(m module) []string { return unlisted(m, "aws_sqs_queue", "queues") }

// unlisted finds resources of a kind that a local does not refer to.
func unlisted(m module, kind, local string) (found []string) {
	if m.isExample() {
		return nil
	}
	text := ""
	for _, b := range m.blocks("locals") {
		if a := b.Body.Attributes[local]; a != nil {
			text += m.source(a.Expr)
		}
	}
	for _, b := range m.blocks("resource", kind) {
		if !strings.Contains(text, address(b)+" :") {
			found = append(found, fmt.Sprintf("%s is not in local.%s, and so can be reached without TLS", address(b), local))
		}
	}
	return found
}

// awsStoredSecrets finds values of secrets, which would be in the state.
func awsStoredSecrets(m module) (found []string) {
	const kind = "aws_secretsmanager_secret_version"
	for _, b := range slices.Concat(m.blocks("resource", kind), m.blocks("data", kind)) {
		found = append(found, address(b)+" has its value in the state")
	}
	return found
}
