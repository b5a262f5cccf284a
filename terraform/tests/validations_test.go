package tests

import (
	"slices"
	"strings"
	"testing"
)

// invalidValue is a value that exactly one validation refuses, with the beginning of its
// message.
type invalidValue struct{ variable, value, message string }

// invalidCombination is a value that a validation refuses because of another variable.
type invalidCombination struct {
	variable string
	settings map[string]string
	message  string
}

// validated are values that a module refuses and accepts.
type validated struct {
	plan         func(*testing.T, map[string]string) *plan
	variables    func(pairs ...string) map[string]string
	values       []invalidValue
	combinations []invalidCombination
	accepted     []map[string]string
}

// validations are those of the modules, by cloud.
var validations = map[string]validated{
	"google": {newPlan, variables, invalidValues, invalidCombinations, acceptedValues},
	"aws":    {newAWSPlan, awsVariables, awsInvalidValues, awsInvalidCombinations, awsAcceptedValues},
}

func TestValidations_refuse(t *testing.T) {
	for cloud, v := range validations {
		for _, tt := range v.values {
			messages := v.plan(t, v.variables(tt.variable, tt.value)).violations(tt.variable)
			if len(messages) != 1 || !strings.HasPrefix(messages[0], tt.message) {
				t.Errorf("%s: %s = %s: %q, want one that begins with %q", cloud, tt.variable, tt.value, messages, tt.message)
			}
		}
	}
}

var invalidCombinations = []invalidCombination{
	{"build_worker_pool", variables("build_worker_pool", `"projects/p/locations/us-east1/workerPools/own"`, "build_region", `"europe-west1"`), "build_worker_pool is in"},
	{"archive", variables("archive", `{ location = "EU" }`, "kms_key", key), "archive.location must be the"},
	{"storage_subscription", variables("storage_subscription", `{ format = "text" }`, "changes", `{ data = "message-pack" }`), "storage_subscription.format text needs"},
	{"storage_subscription", variables("storage_subscription", `{ format = "text" }`, "changes", `{ packed = {} }`), "storage_subscription.format text needs"},
	{"bigquery", variables("bigquery", `{ location = "EU" }`, "kms_key", key), "bigquery.location must be the"},
	{"ingest", variables("connector", "null", "ingest", `{ tokens = { secret = "Bearer 0123", current = "1" } }`), "ingest.tokens.secret must be"},
	{"ingest", variables("connector", "null", "ingest", `{ tokens = { secret = "tokens", current = "latest" } }`), "ingest.tokens.current and"},
	{"ingest", variables("connector", "null", "ingest", `{ tokens = { secret = "tokens", current = "2", previous = "0" } }`), "ingest.tokens.current and"},
	{"ingest", variables("connector", "null", "ingest", `{ ingress = "all", tokens = { secret = "tokens", current = "1" } }`), "ingest.tokens cannot be"},
	{"ingest", variables("connector", "null", "ingest", `{ function_source = "./versions.tf", tokens = { secret = "tokens", current = "1" } }`), "ingest.tokens needs"},
}

func TestValidations_refuseCombinations(t *testing.T) {
	for cloud, v := range validations {
		for _, tt := range v.combinations {
			messages := v.plan(t, tt.settings).violations(tt.variable)
			if len(messages) != 1 || !strings.HasPrefix(messages[0], tt.message) {
				t.Errorf("%s: %v: %q, want one that begins with %q", cloud, tt.settings, messages, tt.message)
			}
		}
	}
}

// acceptedValues are the defaults, and settings that use nearly every option.
var acceptedValues = []map[string]string{
	variables(),
	variables("archive", "null", "connector", "null", "storage_subscription", "null", "bigquery", "null"),
	variables("storage_subscription", "{}", "bigquery", "{}"),
	variables("kms_key", key,
		"changes", `{ ordering = 4096, data = "avro", retention_days = 31, regions = ["europe-west1", "europe-west4"], enforce_in_transit = true, schema = { definition = "{}" },
			subscriptions = { orders = { filter = "attributes.set = \"orders\"", subscribers = ["group:a@example.com"], ordering = true, exactly_once = true, ack_deadline = 600, retention_days = 31, attempts = 0 } } }`,
		"archive", `{ format = "parquet", compression = "gzip", location = "europe-west1", storage_class = "NEARLINE", transitions = { COLDLINE = 90, ARCHIVE = 365 }, expire_days = 3650, retention = { days = 3650, locked = true }, soft_delete_days = 90 }`,
		"dead_letters", `{ expire_days = 1, soft_delete_days = 0 }`,
		"storage_subscription", `{ max_seconds = 600, max_bytes = 10737418240, max_messages = 1000, expire_days = 1 }`,
		"bigquery", `{ location = "europe-west1", table = "all-records_1", max_staleness_minutes = 1440, clustering = ["digest", "ns", "set_name", "generation"], readers = ["group:a@example.com"] }`,
		"connector", `{ size = 32, zones = ["europe-west1-b"], rollout = "at-once", namespaces = ["shop"], config = "service: {manage: {port: 8902}}", collector_image = "example.com/collector:2.0@sha256:`+strings.Repeat("0", 64)+`" }`,
		"ingest", `{ ingress = "internal-and-load-balancer", min_instances = 20, concurrency = 1000, cpu = 8, memory = 32768, environment = { MAX_BODY = "8MiB" }, tokens = { secret = "projects/p/secrets/s", current = "2", previous = "1" } }`,
		"alerts", `{ channels = ["projects/p/notificationChannels/1"], connectors = 3, lag_minutes = 1, stall_minutes = 1440, certificate_days = 1, token_minutes = 11, backlog_minutes = 1 }`,
		"subnetwork", `"projects/network/regions/europe-west1/subnetworks/shop"`, "prefix", `"a-prefix-with-18-s"`, "build_region", `"europe-west1"`, "build_worker_pool", `"projects/p/locations/europe-west1/workerPools/own"`, "labels", labels(63)),
}

func TestValidations_accept(t *testing.T) {
	for cloud, v := range validations {
		for _, settings := range v.accepted {
			p := v.plan(t, settings)
			for name := range p.variables {
				if messages := p.violations(name); len(messages) > 0 {
					t.Errorf("%s: %v: %q", cloud, settings, messages)
				}
			}
		}
	}
}

// Each validation refuses one of the test values. Its message begins with the name of
// the variable and ends with a full stop or with a command that helps.
func TestValidations_messages(t *testing.T) {
	for cloud, v := range validations {
		var known []string
		for _, tt := range v.values {
			known = append(known, tt.message)
		}
		for _, tt := range v.combinations {
			known = append(known, tt.message)
		}
		p := v.plan(t, v.variables())
		for name := range p.variables {
			for _, b := range p.variables[name].Blocks {
				message := p.eval(b.Body.Attributes["error_message"].Expr).AsString()
				if !strings.HasPrefix(message, name) || !strings.HasSuffix(message, ".") && !strings.Contains(message, "gcloud ") {
					t.Errorf("%s: variable %s: message %q must begin with the variable and end with a full stop or a command", cloud, name, message)
				}
				if !slices.ContainsFunc(known, func(begin string) bool { return strings.HasPrefix(message, begin) }) {
					t.Errorf("%s: no test value is refused with %q", cloud, message)
				}
			}
		}
	}
}
