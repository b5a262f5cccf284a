package tests

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// paste runs a command that Terraform prints for users, at the top of the clone, with a
// script in place of program.
func paste(t *testing.T, command, program, script string) (output string, err error) {
	t.Helper()
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, program), []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	shell := exec.Command("sh", "-c", command)
	shell.Dir = ".."
	shell.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
	out, err := shell.CombinedOutput()
	return string(out), err
}

// Terraform writes what points the database at the connectors exactly as the connector's own
// command does. The certificates in the configuration do not exist on this machine.
func TestXDRConfig_asConnectorPrints(t *testing.T) {
	binary := program(t, "connector")
	for name, choice := range map[string]string{
		"default":    `{}`,
		"namespaces": `{ namespaces = ["shop", "bank_2"] }`,
		"tls":        connectors["tls"],
		"mutual tls": connectors["mutual tls"],
		"own":        connectors["own configuration"],
	} {
		p := connectorPlan(t, choice)
		config := filepath.Join(t.TempDir(), "connector.yml")
		if err := os.WriteFile(config, []byte(p.local("connector_config").AsString()), 0o600); err != nil {
			t.Fatal(err)
		}
		arguments := []string{"xdr-config", "-config", config}
		for _, host := range p.local("connector_hosts").AsValueSlice() {
			arguments = append(arguments, "-host", host.AsString())
		}
		namespaces := p.variable("connector").GetAttr("namespaces").AsValueSlice()
		for _, namespace := range namespaces {
			arguments = append(arguments, "-namespace", namespace.AsString())
		}
		if len(namespaces) == 0 {
			arguments = append(arguments, "-namespace", "NAMESPACE")
		}
		if tls := p.variable("connector").GetAttr("tls"); !tls.IsNull() {
			arguments = append(arguments, "-tls-name", tls.GetAttr("name").AsString())
		}
		want := runIn(t, top, nil, binary, arguments...)
		if diff := cmp.Diff(want, p.local("xdr_config").AsString()); diff != "" {
			t.Errorf("%s (-connector +Terraform)\n%s", name, diff)
		}
	}
}

// Machines are updated one after another. If one does not become healthy, the commands fail
// and do not touch the others.
func TestRollConnectors_stopsAtFailure(t *testing.T) {
	commands := connectorPlan(t, `{}`).local("roll_connectors").AsString()
	steps := func(script string) ([]string, error) {
		out, err := paste(t, commands, "gcloud", `echo "$*" | grep -Eo "update-instances|wait-until|instances=[^ ]*"`+"\n"+script)
		return strings.Fields(out), err
	}
	const first, second = "update-instances instances=aerosink-connector-1 wait-until", " update-instances instances=aerosink-connector-2 wait-until"
	if got, err := steps(""); err != nil || strings.Join(got, " ") != first+second {
		t.Errorf("%q, error %v", got, err)
	}
	if got, err := steps(`case $* in *wait-until*) exit 1 ;; esac`); err == nil || strings.Join(got, " ") != first {
		t.Errorf("first machine fails: %q, error %v", got, err)
	}
}
