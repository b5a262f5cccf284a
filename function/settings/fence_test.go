package settings_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/aerosink/aerosink/function/settings"
	"github.com/aerosink/aerosink/function/sink"
)

// withFences returns an environment with the sinks sink: and the fences fence:.
func withFences(pairs ...string) settings.Environment {
	probe := func(context.Context) error { return errors.New("no route to host") }
	return settings.Environment{Getenv: env(pairs...), Sinks: sink.NewRegistry(
		sink.Kind{Scheme: "sink", Example: "sink:NAME", Parse: func(*url.URL, sink.Options) (sink.Spec, error) { return sink.Spec{}, nil }},
		sink.Kind{Scheme: "fence", Example: "fence:NAME", Parse: func(*url.URL, sink.Options) (sink.Spec, error) {
			return sink.Spec{Fence: &sink.FenceSpec{Pass: true, Probe: probe}}, nil
		}},
	)}
}

// A fence is FENCE or one of SINKS, and is none of the sinks.
func TestParse_fence(t *testing.T) {
	for _, tt := range []struct{ sinks, fence, deadLetters, want, err string }{
		{"sink:a", "", "", "", ""},
		{"sink:a", "memory", "", "memory", ""},
		{"sink:a", "memory?size=1MiB", "", "memory?size=1MiB", ""},
		{"sink:a,fence:b", "", "", "fence:b", ""},
		{"fence:b,sink:a", "", "", "fence:b", ""},
		{"fence:b,sink:a,fence:b?x", "", "", "", `SINKS: "fence:b?x" twice; list each sink once`},
		{"fence:b,sink:a,fence:c", "", "", "", `SINKS: "fence:c" is a second fence; name one`},
		{"fence:b,sink:a", "memory", "", "", "FENCE: SINKS names a fence too; remove one of them"},
		{"fence:b", "", "", "", "SINKS: only a fence, so changes have nowhere to go; add for example sink:NAME"},
		{"sink:a", "redis", "", "", "FENCE: want memory or memory?size=64MiB"},
		{"sink:a", "", "fence:b", "", `DEAD_LETTERS: "fence:b" is a fence, which stores no changes; set for example sink:NAME`},
	} {
		s, err := withFences("SINKS", tt.sinks, "FENCE", tt.fence, "DEAD_LETTERS", tt.deadLetters).Parse(sink.Options{})
		if tt.err != "" {
			if err == nil || !strings.HasPrefix(err.Error(), tt.err) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%+v: error %v", tt, err)
			}
			continue
		}
		got := ""
		if s.Fence != nil {
			got = s.Fence.URL
		}
		if err != nil || got != tt.want || len(s.Sinks) != 1 || s.Sinks[0].URL != "sink:a" {
			t.Errorf("%+v: fence %q, sinks %v, error %v", tt, got, s.Sinks, err)
		}
	}
}

// A fence in memory gets a warning, because other instances know nothing of it. One in a
// database is checked like a sink.
func TestExamine_fence(t *testing.T) {
	x := withFences("SINKS", "sink:a", "FENCE", "memory", "DEAD_LETTERS", "sink:d").Examine(nil)
	if len(x.Errors) > 0 || len(x.Warnings) != 1 || !strings.HasPrefix(x.Warnings[0].String(), "FENCE: an instance remembers only what it published itself") {
		t.Errorf("errors %v, warnings %v", x.Errors, x.Warnings)
	}
	if c := x.Connect(t.Context()); len(c) != 2 {
		t.Errorf("connections %v", c)
	}
	x = withFences("SINKS", "sink:a,fence:b", "DEAD_LETTERS", "sink:d").Examine(nil)
	c := x.Connect(t.Context())
	if len(x.Warnings) != 0 || len(c) != 3 || c[2].Variable != "SINKS" || c[2].URL != "fence:b" || c[2].Err == nil {
		t.Errorf("warnings %v, connections %v", x.Warnings, c)
	}
}
