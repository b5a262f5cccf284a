package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

func TestCheck(t *testing.T) {
	const lasting = "DEAD_LETTERS=gs://archive/dead"
	for _, tt := range []struct {
		name     string
		environ  string
		out, err string
	}{
		{"all is well", "SINKS=gs://archive/changes " + lasting, "sink check: no faults, no warnings\n", ""},
		{"settings", "SINKS=gs://archive/changes MAX_BODY=1MiB", "MAX_BODY              1MiB (1048576 bytes)\n", ""},
		{"a warning", "SINKS=gs://archive/changes", "warning: DEAD_LETTERS: not set", ""},
		{"every fault", "SINKS=x: TIMEOUT=x " + lasting, "fault: SINKS: \"x:\": unknown kind of sink", "sink check: 2 faults, no warnings"},
		{"a name", "SINKS=gs://archive/changes SINK=1 " + lasting, "did you mean SINKS?\nsink check: no faults, 1 warning\n", ""},
		{"no secret", "SINKS=gs://archive/changes AUTH_TOKENS=secret-secret-secret " + lasting, "AUTH_TOKENS           1, not shown\n", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			environ := strings.Fields(tt.environ)
			variables := map[string]string{}
			for _, v := range environ {
				name, value, _ := strings.Cut(v, "=")
				variables[name] = value
			}
			var out bytes.Buffer
			err := checkEnvironment(t.Context(), process{environment(variables), &out, &out}, environ, false)
			if (err == nil) != (tt.err == "") || err != nil && err.Error() != tt.err {
				t.Errorf("error %v, want %q", err, tt.err)
			}
			if !strings.Contains(out.String(), tt.out) || strings.Contains(out.String(), "secret") {
				t.Errorf("%s\ndoes not say %q", out.String(), tt.out)
			}
		})
	}
}

// The process says by its exit status whether there is a fault.
func TestCheckProcess(t *testing.T) {
	sinktest.New(t)
	t.Setenv("SINKS", sinktest.ArchiveSink)
	for _, tt := range []struct {
		args, deadLetters string
		status            int
		out               string
	}{
		{"check", "", 0, "sink check: no faults, 1 warning\n"},
		{"check -connect", "gs://archive/dead", 0, "connect: DEAD_LETTERS: gs://archive/dead: ok\n"},
		{"check", "log:", 1, "fault: DEAD_LETTERS: a log is no place that lasts"},
		{"check all", "", 1, `sink check: what is "all"? Write sink check or sink check -connect`},
		{"check -conect", "", 1, `what is "-conect"?`},
		{"chek", "", 1, `sink: what is "chek"? The commands are serve, check`},
		{"serve all", "", 1, `sink serve: what is "all"?`},
		{"help", "", 0, "sink check [-connect]"},
		{"version", "", 0, "sink "},
	} {
		t.Setenv("DEAD_LETTERS", tt.deadLetters)
		process := changetest.Command(t, strings.Fields(tt.args)...)
		out, _ := process.CombinedOutput() // the status says more
		if status := process.ProcessState.ExitCode(); status != tt.status || !strings.Contains(string(out), tt.out) {
			t.Errorf("sink %s: status %d\n%swant %d, %q", tt.args, status, out, tt.status, tt.out)
		}
	}
}
