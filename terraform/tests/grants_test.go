package tests

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// grants lists all IAM grants by member: for our service accounts the name of the resource,
// for others the expression in the files. Each grant has its kind of resource, its name and
// its role.
var grants = map[string][]string{
	`"serviceAccount:bq-${local.project_number}@bigquery-encryption.iam.gserviceaccount.com"`: {
		"kms_crypto_key bigquery: cloudkms.cryptoKeyEncrypterDecrypter",
	},
	`"serviceAccount:service-${local.project_number}@${each.value}.iam.gserviceaccount.com"`: {
		"kms_crypto_key agents: cloudkms.cryptoKeyEncrypterDecrypter",
	},
	`"serviceAccount:service-${local.project_number}@serverless-robot-prod.iam.gserviceaccount.com"`: {
		"compute_subnetwork ingest: compute.networkUser",
	},
	"bigquery_writer": {
		"bigquery_table records_writer: bigquery.dataEditor",
	},
	"build": {
		"artifact_registry_repository images_build: artifactregistry.writer",
		"cloud_run_v2_service ingest_build: run.developer",
		"project build_logs: logging.logWriter",
		"project rollout_build: google_project_iam_custom_role.rollout[0].id",
		"service_account connector_build: iam.serviceAccountUser",
		"service_account ingest_build: iam.serviceAccountUser",
		"storage_bucket build_sources: storage.objectViewer",
	},
	"connector": {
		"artifact_registry_repository images_connector: artifactregistry.reader",
		"cloud_run_v2_service ingest_connector: run.invoker",
		"cloudfunctions2_function ingest_connector: cloudfunctions.invoker",
		"project connector_logs: logging.logWriter",
		"project connector_metrics: monitoring.metricWriter",
		"secret_manager_secret connector_tls: secretmanager.secretAccessor",
	},
	"each.key": {
		"bigquery_table records_readers: bigquery.dataViewer",
	},
	"each.value.member": {
		"pubsub_subscription changes_reader: pubsub.subscriber",
	},
	"function": {
		"artifact_registry_repository images_function: artifactregistry.writer",
		"project logs_function: logging.logWriter",
		"project source_function: storage.objectViewer",
	},
	"ingest": {
		"project metrics_ingest: monitoring.metricWriter",
		"pubsub_topic bigquery_ingest: pubsub.publisher",
		"pubsub_topic changes_ingest: pubsub.publisher",
		"secret_manager_secret collector_ingest: secretmanager.secretAccessor",
		"secret_manager_secret tokens_ingest: secretmanager.secretAccessor",
		"storage_bucket archive_ingest: storage.objectCreator",
		"storage_bucket dead_letters_ingest: storage.objectCreator",
	},
	"local.pubsub_agent": {
		"pubsub_subscription bigquery_agent: pubsub.subscriber",
		"pubsub_subscription changes_agent: pubsub.subscriber",
		"pubsub_subscription storage_agent: pubsub.subscriber",
		"pubsub_topic undelivered_agent: pubsub.publisher",
		"service_account bigquery_writer_agent: iam.serviceAccountTokenCreator",
		"service_account storage_writer_agent: iam.serviceAccountTokenCreator",
	},
	"storage_writer": {
		"storage_bucket messages_writer: each.key",
	},
}

// The module has exactly these grants. The Terraform tests check under which settings each
// of them exists.
func TestGrants(t *testing.T) {
	m, account := readModule(t, "."), regexp.MustCompile(`^google_service_account\.(\w+?)(\[0\])?\.member$`)
	got := map[string][]string{}
	for _, b := range m.blocks("resource") {
		kind, ok := strings.CutSuffix(b.Labels[0], "_iam_member")
		if !ok {
			continue
		}
		member := account.ReplaceAllString(m.source(b.Body.Attributes["member"].Expr), "$1")
		role := strings.Trim(m.source(b.Body.Attributes["role"].Expr), `"`)
		got[member] = append(got[member], strings.TrimPrefix(kind, "google_")+" "+b.Labels[1]+": "+strings.TrimPrefix(role, "roles/"))
	}
	for _, of := range got {
		slices.Sort(of)
	}
	if diff := cmp.Diff(grants, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func broadGrants(m module) (found []string) {
	forbidden := []string{"roles/owner", "roles/editor", "roles/viewer", "allUsers", "allAuthenticatedUsers"}
	for _, f := range m.files {
		for _, text := range f.strings() {
			if !isTest(f.name) && slices.Contains(forbidden, text) {
				found = append(found, f.name+" grants too much: "+text)
			}
		}
	}
	return found
}

func exclusiveGrants(m module) (found []string) {
	for _, b := range m.blocks("resource") {
		if regexp.MustCompile(`_iam_(binding|policy)$`).MatchString(b.Labels[0]) {
			found = append(found, address(b)+" would remove grants made elsewhere; use _iam_member")
		}
	}
	return found
}

// projectRoles are roles that can only be granted on a project, with the reason. Custom
// roles and grants with a condition are allowed too.
var projectRoles = map[string]string{
	"roles/logging.logWriter":       "logs exist only per project",
	"roles/monitoring.metricWriter": "metrics exist only per project",
}

func projectGrants(m module) (found []string) {
	for _, b := range m.blocks("resource", "google_project_iam_member") {
		role := literal(b.Body, "role")
		_, known := projectRoles[role]
		isOurs := strings.HasPrefix(reference(b.Body, "role"), "google_project_iam_custom_role.")
		isNarrowed := len(child(b.Body, "condition").Attributes) > 0
		if !known && !isOurs && !isNarrowed {
			found = append(found, fmt.Sprintf("%s grants %s on the whole project", address(b), role))
		}
	}
	return found
}

// reference returns the address that an attribute refers to, or "".
func reference(body *hclsyntax.Body, attribute string) string {
	a, ok := body.Attributes[attribute]
	if !ok || len(a.Expr.Variables()) == 0 {
		return ""
	}
	text := ""
	for _, step := range a.Expr.Variables()[0] {
		switch step := step.(type) {
		case hcl.TraverseRoot:
			text = step.Name
		case hcl.TraverseAttr:
			text += "." + step.Name
		}
	}
	return text
}

func untestedGrants(m module) (found []string) {
	for _, b := range m.blocks("resource") {
		if strings.HasSuffix(b.Labels[0], "_iam_member") && !regexp.MustCompile(regexp.QuoteMeta(address(b))+`\b`).MatchString(m.tests) {
			found = append(found, address(b)+" is in no test")
		}
	}
	return found
}

// secretAttributes are attributes whose values would be stored in the state. Write-only
// variants, such as secret_data_wo, are not.
var secretAttributes = []string{"secret_data", "plaintext", "password", "private_key", "private_key_pem", "token"}

// publicConfigs are the resources where such an attribute does not hold a secret.
var publicConfigs = map[string]string{
	"google_secret_manager_secret_version.collector": "the sidecar's configuration; Cloud Run can mount files only from secrets",
}

func storedSecrets(m module) (found []string) {
	for _, b := range m.blocks("resource") {
		for _, name := range secretAttributes {
			if _, ok := publicConfigs[address(b)]; !ok && b.Body.Attributes[name] != nil {
				found = append(found, fmt.Sprintf("%s.%s is kept in the state; use %s_wo", address(b), name, name))
			}
		}
	}
	return found
}
