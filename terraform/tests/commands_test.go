package tests

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
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

// The command prints a stanza that names every connector, even though the certificates in
// the configuration do not exist on this machine.
func TestXDRConfigCommand_namesEveryConnector(t *testing.T) {
	p := connectorPlan(t, connectors["mutual tls"])
	config := filepath.Join(t.TempDir(), "connector.yml")
	if err := os.WriteFile(config, []byte(p.local("connector_config").AsString()), 0o600); err != nil {
		t.Fatal(err)
	}
	const outputs = `[ "$*" = "-chdir=terraform output -raw connector_config" ] && cat `
	out, err := paste(t, p.local("xdr_config_command").AsString(), "terraform", outputs+config)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"node-address-port 10.0.0.5 8901 connector.example\n", "node-address-port 10.0.0.6 8901 connector.example\n", "namespace NAMESPACE {\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
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
