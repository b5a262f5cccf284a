package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aerosink/aerosink/connector"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/config"
)

// The warnings of config are about the budget that the connector has.
func TestConfig_budget(t *testing.T) {
	if config.Budget != connector.Budget {
		t.Errorf("config assumes %s, the connector gives up after %s", config.Budget, connector.Budget)
	}
}

// The commands in the README print what it says, in its order. The last one, which runs
// the connector on fixed ports, is not run.
func TestReadme_commands(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(changetest.Testdata(t), "..", "connector", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	text, after, found := strings.Cut(string(readme), "```\n\nThen build")
	_, text, _ = strings.Cut(text, "```yaml\n")
	if !found {
		t.Fatal("the README has no YAML followed by commands")
	}
	t.Chdir(t.TempDir())
	if err := os.WriteFile("connector.yml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var outputs []string
	for _, line := range regexp.MustCompile(`(?m)^\$ bin/connector (.*)$`).FindAllStringSubmatch(after, -1) {
		var out bytes.Buffer
		if args := strings.Fields(line[1]); args[0] != "-config" {
			if err := run(t.Context(), args, &out, io.Discard); err != nil {
				t.Errorf("connector %s: %v", line[1], err)
			}
		}
		outputs = append(outputs, out.String())
	}
	if len(outputs) != 4 || outputs[0] != "connector.yml: no errors, no warnings\n" ||
		!strings.Contains(outputs[1], "node-address-port 10.0.0.5 8901\n") || outputs[2] != config.Reference() || outputs[3] != "" {
		t.Errorf("%q", outputs)
	}
}
