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
		{"no errors", "SINKS=gs://archive/changes " + lasting, "sink check: no errors, no warnings\n", ""},
		{"settings", "SINKS=gs://archive/changes MAX_BODY=1MiB", "MAX_BODY              1MiB (1048576 bytes)\n", ""},
		{"warning", "SINKS=gs://archive/changes", "warning: DEAD_LETTERS: not set", ""},
		{"every error", "SINKS=x: TIMEOUT=x " + lasting, "error: SINKS: \"x:\": unknown kind of sink", "2 errors, no warnings"},
		{"misspelled name", "SINKS=gs://archive/changes SINK=1 " + lasting, "did you mean SINKS?\nsink check: no errors, 1 warning\n", ""},
		{"secret", "SINKS=gs://archive/changes AUTH_TOKENS=secret-secret-secret " + lasting, "AUTH_TOKENS           1, not shown\n", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			environ := strings.Fields(tt.environ)
			variables := map[string]string{}
			for _, v := range environ {
				name, value, _ := strings.Cut(v, "=")
				variables[name] = value
			}
			var out bytes.Buffer
			err := check(t.Context(), environment(variables), environ, false, &out)
			if (err == nil) != (tt.err == "") || err != nil && err.Error() != tt.err {
				t.Errorf("error %v, want %q", err, tt.err)
			}
			if !strings.Contains(out.String(), tt.out) || strings.Contains(out.String(), "secret") {
				t.Errorf("%s\nthe output lacks %q", out.String(), tt.out)
			}
		})
	}
}

// The exit status says whether there is an error.
func TestCheck_exitStatus(t *testing.T) {
	sinktest.New(t)
	t.Setenv("SINKS", sinktest.ArchiveSink)
	for _, tt := range []struct {
		args, deadLetters string
		status            int
		out               string
	}{
		{"check", "", 0, "sink check: no errors, 1 warning\n"},
		{"check -connect", "gs://archive/dead", 0, "connect: DEAD_LETTERS: gs://archive/dead: ok\n"},
		{"check", "log:", 1, "error: DEAD_LETTERS: a log is not durable"},
	} {
		t.Setenv("DEAD_LETTERS", tt.deadLetters)
		process := changetest.Command(t, strings.Fields(tt.args)...)
		out, _ := process.CombinedOutput() // the exit status is checked below
		if status := process.ProcessState.ExitCode(); status != tt.status || !strings.Contains(string(out), tt.out) {
			t.Errorf("sink %s: status %d\n%swant %d, %q", tt.args, status, out, tt.status, tt.out)
		}
	}
}
