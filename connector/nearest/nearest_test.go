package nearest_test

import (
	"testing"

	"github.com/aerosink/aerosink/connector/nearest"
)

func TestName(t *testing.T) {
	commands := []string{"", "check", "config", "xdr-config", "help", "version"}
	for _, tt := range []struct {
		name  string
		known []string
		want  string
	}{
		{"chek", commands, "check"},
		{"Check", commands, "check"},
		{"xdrconfig", commands, "xdr-config"},
		{"conf", commands, "config"},
		{"ver", commands, "version"},
		{"start", commands, ""},
		{"", commands, ""},
		{"gz", []string{"none", "gzip"}, "gzip"},
		{"http2", []string{"HTTP_1_1", "HTTP_2"}, "HTTP_2"},
		{"interval", []string{"interval-seconds", "interval-seconds-of-all"}, "interval-seconds"},
	} {
		if got := nearest.Name(tt.name, tt.known); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestStrict(t *testing.T) {
	known := []string{"PORT", "SINKS", "MAX_BODY", "DEAD_LETTERS"}
	for name, want := range map[string]string{
		"port": "PORT", "POST": "", "SINK": "SINKS", "MAX_BODYS": "MAX_BODY", "DEADLETTER": "DEAD_LETTERS", "HOME": "", "": "",
	} {
		if got := nearest.Strict(name, known); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
