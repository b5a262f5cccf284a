package main

import (
	"strings"
	"testing"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

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
