package commands

import (
	"bytes"
	"strings"
	"testing"

	"github.com/aerosink/aerosink/function/google"
	"github.com/aerosink/aerosink/function/settings"
)

// program returns a program like sink with these variables.
func program(variables map[string]string) Program {
	return Program{Name: "sink", Environment: settings.Environment{Getenv: func(name string) string { return variables[name] }, Sinks: google.Sinks()}}
}

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
			p := program(variables)
			p.Environ = environ
			err := p.printCheck(t.Context(), false, &out)
			if (err == nil) != (tt.err == "") || err != nil && err.Error() != tt.err {
				t.Errorf("error %v, want %q", err, tt.err)
			}
			if !strings.Contains(out.String(), tt.out) || strings.Contains(out.String(), "secret") {
				t.Errorf("%s\nthe output lacks %q", out.String(), tt.out)
			}
		})
	}
}
