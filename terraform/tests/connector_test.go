package tests

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"go.yaml.in/yaml/v4"

	"github.com/aerosink/aerosink/connector/change/changetest"
)

// connectors are values of the variable connector, by name, that lead to different files on
// a connector's machine.
var connectors = map[string]string{
	"default":    `{}`,
	"no metrics": `{ metrics = false }`,
	"balancer":   `{ balancer = true }`,
	"tls": `{ tls = {
		certificate = "projects/p/secrets/certificate/versions/1"
		key         = "projects/p/secrets/key/versions/2"
		name        = "connector.example"
	} }`,
	"mutual tls": `{ balancer = true, tls = {
		certificate = "projects/p/secrets/certificate/versions/1"
		key         = "projects/p/secrets/key/versions/2"
		authority   = "projects/q/secrets/authority/versions/latest"
		name        = "connector.example"
	} }`,
	"own configuration": `{ config = "service:\n  port: 8901\n  manage: {port: 8902}\ndestinations:\n  a: {urls: [\"https://127.0.0.1:1\"]}\nrouting: {mode: static, destination: a}\nformat: json\n" }`,
	"indented": `{ config = <<EOT

    # Indented, as in a variables file.
    service: {port: 8901, address: 127.0.0.1, manage: {port: 8902}}
    destinations: {a: {urls: ["https://127.0.0.1:1"]}}
    routing: {mode: static, destination: a}
    format: json
EOT
	}`,
}

// connectorPlan returns a plan with the given value of the variable connector, and with
// made-up values for locals that are known only after an apply.
func connectorPlan(t *testing.T, choice string) *plan {
	t.Helper()
	p := newPlan(t, variables("connector", choice))
	if messages := p.violations("connector"); len(messages) > 0 {
		t.Fatal(messages)
	}
	for name, value := range map[string]string{
		"ingest_url": `"https://127.0.0.1:1"`, "audience": `"https://aerosink.ingest"`,
		"connector_names": `["aerosink-connector-1", "aerosink-connector-2"]`, "connector_hosts": `["10.0.0.5", "10.0.0.6"]`,
	} {
		expression, diags := hclsyntax.ParseExpression([]byte(value), name, hcl.InitialPos)
		p.must(diags)
		p.locals[name] = expression
	}
	return p
}

// The connector finds no errors and no warnings in the configuration that Terraform
// writes, and starts with it.
func TestConnectorConfig_passesCheckAndStarts(t *testing.T) {
	binary := program(t, "connector")
	for name, choice := range connectors {
		t.Run(name, func(t *testing.T) {
			text := connectorPlan(t, choice).local("connector_config").AsString()
			path := writeConfig(t, text)
			out, err := exec.Command(binary, "check", "-config", path).CombinedOutput()
			if err != nil || !strings.HasSuffix(string(out), "no errors, no warnings\n") {
				t.Errorf("%v\n%s\nconfiguration:\n%s", err, out, text)
			}
			runConnector(t, binary, path)
		})
	}
}

// writeConfig writes a configuration changed for the test: with test certificates, free
// ports and only loopback addresses.
func writeConfig(t *testing.T, text string) (path string) {
	t.Helper()
	folder := t.TempDir()
	authority := changetest.NewAuthority(t)
	cert, key := authority.Write(t, folder, "server", "connector.example", time.Now().Add(time.Hour))
	ca := authority.WriteCA(t, filepath.Join(folder, "ca.crt"))
	path = filepath.Join(folder, "connector.yml")
	text = strings.NewReplacer(
		"/run/aerosink/tls/certificate", cert, "/run/aerosink/tls/key", key, "/run/aerosink/tls/authority", ca,
		"{port: 8902}", "{port: 0, address: 127.0.0.1}", "port: 8901", "port: 0", "service:\n", "service:\n  address: 127.0.0.1\n", "  tls: # no port without TLS\n", "  tls:\n    address: 127.0.0.1\n",
	).Replace(text)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// runConnector starts the connector, waits until it listens, and stops it. It sends
// nothing to other machines.
func runConnector(t *testing.T, binary, path string) {
	t.Helper()
	var log changetest.Output
	process := exec.Command(binary, "-config", path)
	process.Env = append(os.Environ(), "GCE_METADATA_HOST=127.0.0.1:1")
	process.Stderr = &log
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	log.Find(t, `"xdr":\["(127.0.0.1:[0-9]+)"\]`)
	if err := process.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if err := process.Wait(); err != nil {
		t.Errorf("%v\n%s", err, log.String())
	}
}

// cloudConfig is the part of cloud-init's schema that our template uses.
type cloudConfig struct {
	WriteFiles []struct {
		Path, Owner, Content string
		Permissions          yaml.Node
	} `yaml:"write_files"`
	Run []string `yaml:"runcmd"`
}

// readCloudInit parses a cloud-init configuration, and returns it and the files that it
// writes, by path.
func readCloudInit(t *testing.T, text string) (c cloudConfig, files map[string]string) {
	t.Helper()
	if !strings.HasPrefix(text, "#cloud-config\n") {
		t.Fatalf("the configuration begins with %.20q, want #cloud-config", text)
	}
	d := yaml.NewDecoder(strings.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&c); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	files = map[string]string{}
	for _, f := range c.WriteFiles {
		files[f.Path] = f.Content
	}
	return c, files
}

func TestCloudInit(t *testing.T) {
	const limit = 256 << 10 // of a metadata value
	for name, choice := range connectors {
		t.Run(name, func(t *testing.T) {
			p := connectorPlan(t, choice)
			text := p.local("connector_cloud_init").AsString()
			c, files := readCloudInit(t, text)
			for _, f := range c.WriteFiles {
				// YAML parsers disagree on the number 0644: octal or decimal.
				if f.Permissions.Tag != "!!str" || f.Permissions.Value != "0644" || f.Owner != "root" || !filepath.IsAbs(f.Path) {
					t.Errorf("%s: permissions %s %s, owner %s", f.Path, f.Permissions.Tag, f.Permissions.Value, f.Owner)
				}
			}
			for path, want := range p.local("connector_files").AsValueMap() {
				if files[path] != strings.TrimRight(want.AsString(), "\n")+"\n" {
					t.Errorf("%s is\n%s\nwant\n%s", path, files[path], want.AsString())
				}
			}
			want := []string{"systemctl daemon-reload"}
			for _, f := range c.WriteFiles {
				if strings.HasSuffix(f.Path, ".service") {
					want = append(want, "systemctl start --no-block "+filepath.Base(f.Path))
				}
			}
			if !slices.Equal(c.Run, want) {
				t.Errorf("runcmd %q, want %q", c.Run, want)
			}
			if _, ok := files["/etc/aerosink/collector.yaml"]; ok == (name == "no metrics") {
				t.Errorf("collector.yaml exists: %v", ok)
			}
			if len(text) > limit || strings.Contains(text, "PRIVATE") {
				t.Errorf("%d bytes of user data, want at most %d without private keys", len(text), limit)
			}
		})
	}
}

// The zones of a group cannot be changed, so Terraform recreates the group under the same
// name. It must recreate the machines too, or the new group has none.
func TestPerInstanceConfig_replacedWithGroup(t *testing.T) {
	machines := readModule(t, ".").blocks("resource", "google_compute_region_per_instance_config")
	const group = "google_compute_region_instance_group_manager.connector.id"
	if len(machines) != 1 || reference(child(machines[0].Body, "lifecycle"), "replace_triggered_by") != group {
		t.Errorf("%d per-instance configs, want one with replace_triggered_by %s", len(machines), group)
	}
}

// Validations refuse connectors that would start, but could not be reached or would fail
// their health check.
func TestConnectorValidation_unreachable(t *testing.T) {
	const manage, certificates = "manage: {port: 8902}}", `certificate = "projects/p/secrets/c/versions/1", key = "projects/p/secrets/k/versions/1", name = "a"`
	config := func(service, more string) string { return `{ config = "service: {` + service + `"` + more + ` }` }
	for choice, want := range map[string]string{
		`{ machine_type = "n4-standard-2" }`:  "connector.machine_type must be",
		`{ machine_type = "c4a-standard-1" }`: "connector.machine_type must be",
		`{ machine_type = "t2a-standard-1" }`: "connector.machine_type must be",
		`{ machine_type = "c3d-standard-4" }`: "",

		`{ tls = { certificate = "projects/p/secrets/c d/versions/1", key = "projects/p/secrets/k/versions/1", name = "a" } }`: "connector.tls must name",
		`{ tls = { certificate = "projects/p/secrets/%h/versions/1", key = "projects/p/secrets/k/versions/1", name = "a" } }`:  "connector.tls must name",
		`{ collector_image = "us-docker.pkg.dev/p/r/a --privileged b:1" }`:                                                     "connector.collector_image must be",
		`{ collector_image = "us-docker.pkg.dev/p/r/a:1\n[Install]" }`:                                                         "connector.collector_image must be",

		config("port: 8080, "+manage, ""):                             "connector.config must be",
		config("port: 8901, manage: {tls: {port: 8902}}}", ""):        "connector.config must be",
		config("port: 8901, manage: {port: 8081}}", ""):               "connector.config must be",
		config("tls: {port: 8943}, "+manage, ""):                      "connector.config must be",
		config("port: 8901, "+manage, ", tls = { "+certificates+" }"): "connector.config must be",
		config(manage, ""): "",
		config("port: [8901, 8943], manage: {}}", ""):                        "",
		config("port: 8901, tls: {port: 8943}, "+manage, ""):                 "",
		config("tls: {port: 8901}, "+manage, ", tls = { "+certificates+" }"): "",
	} {
		message := strings.Join(newPlan(t, variables("connector", choice)).violations("connector"), "; ")
		if (want == "") != (message == "") || !strings.HasPrefix(message, want) {
			t.Errorf("%s: %q, want %q", choice, message, want)
		}
	}
}
