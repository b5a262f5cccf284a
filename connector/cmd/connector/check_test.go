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

// What config warns of is what the corridor does.
func TestBudget(t *testing.T) {
	if config.Budget != connector.Budget {
		t.Errorf("config counts on %s, the corridor gives up after %s", config.Budget, connector.Budget)
	}
}

// The README's commands do what it says, in the order in which they stand there.
// The last one runs the connector, on fixed ports.
func TestReadmeCommands(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(changetest.Testdata(t), "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(readme), "\n## The connector alone\n")
	text, after, found := strings.Cut(section, "```\n\nThen build")
	_, text, _ = strings.Cut(text, "```yaml\n")
	if !found {
		t.Fatal("no YAML in the README, with commands behind it")
	}
	t.Chdir(t.TempDir())
	if err := os.WriteFile("connector.yml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, line := range regexp.MustCompile(`(?m)^    bin/connector (.*)$`).FindAllStringSubmatch(after, -1) {
		var out bytes.Buffer
		if args := strings.Fields(line[1]); args[0] != "-config" {
			if err := run(t.Context(), args, &out, io.Discard); err != nil {
				t.Errorf("connector %s: %v", line[1], err)
			}
		}
		said = append(said, out.String())
	}
	if len(said) != 4 || said[0] != "connector.yml: no errors, no warnings\n" ||
		!strings.Contains(said[1], "node-address-port 10.0.0.5 8901\n") || said[2] != config.Reference() || said[3] != "" {
		t.Errorf("%q", said)
	}
}
