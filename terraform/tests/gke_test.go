package tests

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"
	"go.yaml.in/yaml/v4"
)

const gke = "examples/gke/aerosink.yaml.tftpl"

// object is a decoded Kubernetes object.
type object map[string]any

// at returns the value at a path of keys and list indexes.
func (o object) at(t *testing.T, path ...any) any {
	t.Helper()
	var v any = map[string]any(o)
	for _, part := range path {
		switch part := part.(type) {
		case string:
			v, _ = v.(map[string]any)[part]
		case int:
			v = v.([]any)[part]
		}
		if v == nil {
			t.Fatalf("%s %v: nothing at %v", o["kind"], o["metadata"], path)
		}
	}
	return v
}

// manifest renders the example's manifest, and returns its objects by kind.
func manifest(t *testing.T, config string) map[string]object {
	t.Helper()
	text := render(t, gke, map[string]cty.Value{
		"name": cty.StringVal("aerosink-connector"), "replicas": cty.NumberIntVal(3),
		"image":   cty.StringVal("europe-west1-docker.pkg.dev/p/aerosink/connector@sha256:" + strings.Repeat("0", 64)),
		"account": cty.StringVal("aerosink-connector@p.iam.gserviceaccount.com"), "config": cty.StringVal(config), "checksum": cty.StringVal("0"),
		"database": cty.ObjectVal(map[string]cty.Value{
			"namespace": cty.StringVal("aerospike"), "label": cty.MapVal(map[string]cty.Value{"app": cty.StringVal("aerospike-cluster")}),
		}),
	})
	objects := map[string]object{}
	for d := yaml.NewDecoder(strings.NewReader(text)); ; {
		var decoded map[string]any
		if err := d.Decode(&decoded); errors.Is(err, io.EOF) {
			return objects
		} else if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		o := object(decoded)
		kind := o.at(t, "kind").(string)
		if objects[kind] != nil {
			t.Fatalf("two objects of kind %s", kind)
		}
		objects[kind] = o
	}
}

// All objects select the same pods and use the same ports.
func TestGKE_selectorsAndPorts(t *testing.T) {
	objects := manifest(t, "a: b")
	want := map[string]any{"app": "aerosink-connector"}
	for kind, path := range map[string][]any{
		"Service":             {"spec", "selector"},
		"StatefulSet":         {"spec", "template", "metadata", "labels"},
		"PodDisruptionBudget": {"spec", "selector", "matchLabels"},
		"NetworkPolicy":       {"spec", "podSelector", "matchLabels"},
		"PodMonitoring":       {"spec", "selector", "matchLabels"},
	} {
		if diff := cmp.Diff(want, objects[kind].at(t, path...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", kind, diff)
		}
		if objects[kind].at(t, "metadata", "namespace") != "aerosink" {
			t.Errorf("%s is in another namespace", kind)
		}
	}
	set := objects["StatefulSet"]
	for _, path := range [][]any{
		{"spec", "selector", "matchLabels"},
		{"spec", "template", "spec", "topologySpreadConstraints", 0, "labelSelector", "matchLabels"},
	} {
		if diff := cmp.Diff(want, set.at(t, path...)); diff != "" {
			t.Errorf("StatefulSet at %v (-want +got):\n%s", path, diff)
		}
	}
	for what, pair := range map[string][2]any{
		"service name":          {set.at(t, "spec", "serviceName"), objects["Service"].at(t, "metadata", "name")},
		"service account":       {set.at(t, "spec", "template", "spec", "serviceAccountName"), objects["ServiceAccount"].at(t, "metadata", "name")},
		"config map":            {set.at(t, "spec", "template", "spec", "volumes", 0, "configMap", "name"), objects["ConfigMap"].at(t, "metadata", "name")},
		"cluster IP":            {objects["Service"].at(t, "spec", "clusterIP"), "None"},
		"XDR port":              {set.at(t, "spec", "template", "spec", "containers", 0, "ports", 0, "containerPort"), objects["Service"].at(t, "spec", "ports", 0, "port")},
		"max unavailable":       {objects["PodDisruptionBudget"].at(t, "spec", "maxUnavailable"), 1},
		"read-only file system": {set.at(t, "spec", "template", "spec", "containers", 0, "securityContext", "readOnlyRootFilesystem"), true},
		"source of XDR":         {objects["NetworkPolicy"].at(t, "spec", "ingress", 0, "from", 0, "podSelector", "matchLabels", "app"), "aerospike-cluster"},
	} {
		if diff := cmp.Diff(pair[1], pair[0]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	// Other objects refer to the container's ports by name.
	names := map[any]bool{}
	for _, p := range set.at(t, "spec", "template", "spec", "containers", 0, "ports").([]any) {
		names[p.(map[string]any)["name"]] = true
	}
	for _, name := range []any{
		objects["Service"].at(t, "spec", "ports", 0, "targetPort"), objects["PodMonitoring"].at(t, "spec", "endpoints", 0, "port"),
		objects["NetworkPolicy"].at(t, "spec", "ingress", 0, "ports", 0, "port"), objects["NetworkPolicy"].at(t, "spec", "ingress", 1, "ports", 0, "port"),
		set.at(t, "spec", "template", "spec", "containers", 0, "livenessProbe", "httpGet", "port"), set.at(t, "spec", "template", "spec", "containers", 0, "readinessProbe", "httpGet", "port"),
	} {
		if !names[name] {
			t.Errorf("no port is called %v", name)
		}
	}
}

// The pods mount the same configuration as the machines at the path in their arguments,
// and the connector finds no errors and no warnings in it.
func TestGKE_configPassesCheck(t *testing.T) {
	objects := manifest(t, connectorPlan(t, "null").local("connector_config").AsString())
	data := objects["ConfigMap"].at(t, "data").(map[string]any)
	args := objects["StatefulSet"].at(t, "spec", "template", "spec", "containers", 0, "args").([]any)
	file := args[1].(string)
	if mount := objects["StatefulSet"].at(t, "spec", "template", "spec", "containers", 0, "volumeMounts", 0, "mountPath"); filepath.Dir(file) != mount || len(data) != 1 {
		t.Fatalf("the connector reads %s, but the config map %v is mounted at %s", file, data, mount)
	}
	command := "-- " + readImage(t, "connector").entrypoint[0] + " xdr-config -config " + file
	if !strings.Contains(read(t, "examples/gke/main.tf"), command) {
		t.Errorf("the output xdr_config_command does not run %q", command)
	}
	path := filepath.Join(t.TempDir(), "connector.yml")
	if err := os.WriteFile(path, []byte(data[filepath.Base(file)].(string)), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(program(t, "connector"), "check", "-config", path).CombinedOutput()
	if err != nil || !strings.HasSuffix(string(out), "no errors, no warnings\n") {
		t.Errorf("%v\n%s", err, out)
	}
}

// The same metrics are collected, and billed, on GKE and on machines.
func TestGKE_sameMetricsAsMachines(t *testing.T) {
	var collector map[string]any
	text := render(t, "templates/collector.yaml.tftpl", map[string]cty.Value{"prefix": cty.StringVal("aerosink"), "port": cty.NumberIntVal(8902)})
	if err := yaml.Unmarshal([]byte(text), &collector); err != nil {
		t.Fatal(err)
	}
	want := object(collector).at(t, "receivers", "prometheus", "config", "scrape_configs", 0, "metric_relabel_configs", 0, "regex")
	got := manifest(t, "a: b")["PodMonitoring"].at(t, "spec", "endpoints", 0, "metricRelabeling", 0, "regex")
	if got != want {
		t.Errorf("regex %s, want %s as on machines", got, want)
	}
}
