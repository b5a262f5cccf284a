package tests

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/aerosink/aerosink/function/aws"
	"github.com/aerosink/aerosink/function/settings"
	"github.com/aerosink/aerosink/function/sink"
)

// awsConfigPlan returns a plan of the module for AWS with a made-up URL.
func awsConfigPlan(t *testing.T, settings map[string]string) *plan {
	t.Helper()
	p := newAWSPlan(t, settings)
	front, diags := hclsyntax.ParseExpression([]byte(`{ url = "https://127.0.0.1:1/" }`), "front", hcl.InitialPos)
	p.must(diags)
	p.locals["front"] = front
	return p
}

// Our connector finds no errors and no warnings in the configuration that Terraform writes
// for it, with and without tokens, and no errors in Aerospike's.
func TestAWSConfigs_passCheck(t *testing.T) {
	binary := program(t, "connector")
	for front, settings := range awsFronts() {
		for local, want := range map[string]string{"connector_config": "no errors, no warnings\n", "esp_config": "no errors"} {
			path := writeConfig(t, awsConfigPlan(t, settings).local(local).AsString())
			if err := os.WriteFile(filepath.Join(filepath.Dir(path), "token"), []byte(strings.Repeat("0", 64)), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command(binary, "check", "-config", path).CombinedOutput()
			if err != nil || !strings.Contains(string(out), want) {
				t.Errorf("%s, %s: %v\n%s\n%s", front, local, err, out, read(t, path))
			}
		}
	}
}

// Terraform writes what points the database at the connectors as the connector's command does.
func TestAWSXDRConfig_asConnectorPrints(t *testing.T) {
	binary := program(t, "connector")
	for _, namespaces := range []string{`[]`, `["shop", "bank_2"]`} {
		p := awsConfigPlan(t, awsVariables("namespaces", namespaces, "front", `"alb"`, "alb", awsBalancer, "tokens", "null"))
		config := filepath.Join(t.TempDir(), "connector.yml")
		if err := os.WriteFile(config, []byte(p.local("connector_config").AsString()), 0o600); err != nil {
			t.Fatal(err)
		}
		arguments := []string{"xdr-config", "-config", config, "-host", "10.0.0.5", "-host", "10.0.0.6"}
		named := p.variable("namespaces").AsValueSlice()
		for _, namespace := range named {
			arguments = append(arguments, "-namespace", namespace.AsString())
		}
		if len(named) == 0 {
			arguments = append(arguments, "-namespace", "NAMESPACE")
		}
		if diff := cmp.Diff(runIn(t, top, nil, binary, arguments...), p.local("xdr_config").AsString()); diff != "" {
			t.Errorf("%s (-connector +Terraform)\n%s", namespaces, diff)
		}
	}
}

// The function finds no errors and no warnings in the sinks that Terraform writes.
func TestAWSSinks_examine(t *testing.T) {
	for name, choice := range map[string]map[string]string{
		"defaults":     awsVariables(),
		"everything":   everything("dead_letters", `{ kind = "queue" }`),
		"packed":       awsVariables("queue", `{ packed = {} }`),
		"packed Avro":  awsVariables("queue", `{ ordering = 4096, packed = { format = "avro", compression = "none" } }`),
		"one order":    awsVariables("queue", `{ group = "queue", dedup = false, data = "as-received" }`),
		"stream":       awsVariables("queue", "null", "stream", `{ key = "digest", data = "message-pack", envelope = true }`),
		"parquet":      awsVariables("archive", `{ format = "parquet", path = "set={set}/dt={date}/shard={shard:16}" }`),
		"avro archive": awsVariables("archive", `{ format = "avro", compression = "deflate" }`),
	} {
		t.Run(name, func(t *testing.T) {
			value := newAWSPlan(t, choice).local("environment").AsValueMap()
			environment := map[string]string{"SINKS": value["SINKS"].AsString(), "DEAD_LETTERS": value["DEAD_LETTERS"].AsString()}
			for _, urls := range environment {
				for url := range strings.SplitSeq(urls, ",") {
					if _, err := aws.Sinks().Parse(url, sink.Options{OneAtATime: true}); err != nil {
						t.Errorf("%s: %v", url, err)
					}
				}
			}
			e := settings.Environment{Getenv: func(name string) string { return environment[name] }, Sinks: aws.Sinks(), OneAtATime: true}
			found := e.Examine([]string{"SINKS", "DEAD_LETTERS"})
			warnings := slices.DeleteFunc(found.Warnings, func(f settings.Finding) bool { // a queue takes letters up to its limit
				return f.Variable == "DEAD_LETTERS" && strings.HasPrefix(environment["DEAD_LETTERS"], "sqs:")
			})
			if len(found.Errors) > 0 || len(warnings) > 0 {
				t.Errorf("environment %v: errors %v, warnings %v", environment, found.Errors, warnings)
			}
		})
	}
}
