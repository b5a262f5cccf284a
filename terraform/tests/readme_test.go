package tests

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// TestReadme_names requires the README to mention every variable and alert, and no output
// that does not exist.
func TestReadme_names(t *testing.T) {
	deploy := read(t, "README.md")
	m := readModule(t, ".")
	for _, b := range m.blocks("variable") {
		if name := b.Labels[0]; !strings.Contains(deploy, "`"+name+"`") && !strings.Contains(deploy, "TF_VAR_"+name+"=") {
			t.Errorf("the README does not mention the variable %s", name)
		}
	}
	outputs := regexp.MustCompile(`output (?:-raw |-json )?([a-z_]+)`).FindAllStringSubmatch(deploy+read(t, "PRODUCTION.md"), -1)
	if len(outputs) < 4 {
		t.Errorf("found %d outputs in commands, want at least 4", len(outputs))
	}
	known := append(m.blocks("output"), readModule(t, "examples/gke").blocks("output")...)
	for _, o := range outputs {
		if !slices.ContainsFunc(known, func(b *hclsyntax.Block) bool { return b.Labels[0] == o[1] }) {
			t.Errorf("README.md or PRODUCTION.md uses the output %s, which does not exist", o[1])
		}
	}
	for name := range runbooks(t) {
		if !strings.Contains(deploy, name) {
			t.Errorf("the README does not mention the alert %s", name)
		}
	}
}

// TestReadme_alerts compares the number of alerts, and the table of them, with what Terraform
// creates.
func TestReadme_alerts(t *testing.T) {
	deploy := read(t, "README.md")
	byDefault, withMetrics := slices.Sorted(maps.Keys(alerts(t, false))), slices.Sorted(maps.Keys(alerts(t, true)))
	want := fmt.Sprintf("There are %d alerts, and with `ingest.metrics` %d:\n", len(byDefault), len(withMetrics))
	if !strings.Contains(deploy, want) {
		t.Errorf("the README does not say %q", want)
	}
	_, table, _ := strings.Cut(deploy, "| alert | condition |\n")
	table, _, _ = strings.Cut(table, "\n\n")
	listed := regexp.MustCompile(`\b[a-z]+(-[a-z]+)+\b`)
	var names []string
	for row := range strings.Lines(table) {
		cells := strings.Split(row, "|")
		names = append(names, listed.FindAllString(cells[1], -1)...)
	}
	slices.Sort(names)
	if diff := cmp.Diff(withMetrics, names); diff != "" {
		t.Errorf("the table of alerts (-Terraform +README)\n%s", diff)
	}
}

// TestReadme_functionDeploy compares the command that deploys the function without
// Terraform with what Terraform deploys.
func TestReadme_functionDeploy(t *testing.T) {
	command := regexp.MustCompile(`(?s)\ngcloud functions deploy .*?\n\x60`).FindString(read(t, "README.md"))
	flags := map[string]string{}
	for _, f := range regexp.MustCompile(`--([a-z0-9-]+)=(\S+)`).FindAllStringSubmatch(command, -1) {
		flags[f[1]] = f[2]
	}
	function := read(t, "function.tf")
	for flag, attribute := range map[string]string{"runtime": "runtime", "entry-point": "entry_point"} {
		if !regexp.MustCompile(attribute + ` += "` + flags[flag] + `"`).MatchString(function) {
			t.Errorf("--%s=%s is not the %s in function.tf", flag, flags[flag], attribute)
		}
	}
	for flag, want := range map[string]string{"source": ".", "ingress-settings": "internal-only", "concurrency": "80", "cpu": "1"} {
		if flags[flag] != want {
			t.Errorf("--%s=%s, want %s; flags are %q", flag, flags[flag], want, slices.Sorted(maps.Keys(flags)))
		}
	}
}

// TestSecurityModel_roles requires SECURITY-MODEL.md to name every role that is granted.
func TestSecurityModel_roles(t *testing.T) {
	page := read(t, "SECURITY-MODEL.md")
	for account, granted := range grants {
		for _, grant := range granted {
			_, role, _ := strings.Cut(grant, ": ")
			if strings.Contains(role, "each.key") || strings.Contains(role, "custom_role") {
				continue
			}
			if !strings.Contains(page, role) {
				t.Errorf("SECURITY-MODEL.md does not mention %s, which %s has", role, account)
			}
		}
	}
}
