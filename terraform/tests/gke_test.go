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

// object is one of Kubernetes'.
type object map[string]any

// at returns what is at a path, whose parts are keys or numbers of a list.
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

// manifest returns the objects of the example, by kind.
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
			t.Fatalf("two of %s", kind)
		}
		objects[kind] = o
	}
}

// Everything means the same pods, and the same ports of them.
func TestGKE(t *testing.T) {
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
		"the service of the pods' names": {set.at(t, "spec", "serviceName"), objects["Service"].at(t, "metadata", "name")},
		"the account":                    {set.at(t, "spec", "template", "spec", "serviceAccountName"), objects["ServiceAccount"].at(t, "metadata", "name")},
		"the configuration":              {set.at(t, "spec", "template", "spec", "volumes", 0, "configMap", "name"), objects["ConfigMap"].at(t, "metadata", "name")},
		"a headless service":             {objects["Service"].at(t, "spec", "clusterIP"), "None"},
		"the port of XDR":                {set.at(t, "spec", "template", "spec", "containers", 0, "ports", 0, "containerPort"), objects["Service"].at(t, "spec", "ports", 0, "port")},
		"what one may take away":         {objects["PodDisruptionBudget"].at(t, "spec", "maxUnavailable"), 1},
		"a file system to read":          {set.at(t, "spec", "template", "spec", "containers", 0, "securityContext", "readOnlyRootFilesystem"), true},
		"who reaches XDR":                {objects["NetworkPolicy"].at(t, "spec", "ingress", 0, "from", 0, "podSelector", "matchLabels", "app"), "aerospike-cluster"},
	} {
		if diff := cmp.Diff(pair[1], pair[0]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	// Ports are named at the container, and meant by these names elsewhere.
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

// The pods have the configuration of the machines, under the path that they are told,
// and the connector has nothing to say about it.
func TestGKEConfig(t *testing.T) {
	objects := manifest(t, connectorPlan(t, `{}`).local("connector_config").AsString())
	data := objects["ConfigMap"].at(t, "data").(map[string]any)
	args := objects["StatefulSet"].at(t, "spec", "template", "spec", "containers", 0, "args").([]any)
	file := args[1].(string)
	if mount := objects["StatefulSet"].at(t, "spec", "template", "spec", "containers", 0, "volumeMounts", 0, "mountPath"); filepath.Dir(file) != mount || len(data) != 1 {
		t.Fatalf("it reads %s of %v, mounted at %s", file, data, mount)
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

// What is kept of the figures, and billed, is the same wherever connectors are.
func TestGKEFigures(t *testing.T) {
	var collector map[string]any
	text := render(t, "templates/collector.yaml.tftpl", map[string]cty.Value{"prefix": cty.StringVal("aerosink"), "port": cty.NumberIntVal(8902)})
	if err := yaml.Unmarshal([]byte(text), &collector); err != nil {
		t.Fatal(err)
	}
	want := object(collector).at(t, "receivers", "prometheus", "config", "scrape_configs", 0, "metric_relabel_configs", 0, "regex")
	got := manifest(t, "a: b")["PodMonitoring"].at(t, "spec", "endpoints", 0, "metricRelabeling", 0, "regex")
	if got != want {
		t.Errorf("%s is kept, and on machines %s", got, want)
	}
}
