package config_test

import (
	"testing"

	"github.com/aerosink/aerosink/connector/config/strict"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/aerosink/aerosink/connector/config"
)

// Errors do not hide warnings, except those about the same value.
func TestExamine(t *testing.T) {
	none := strict.Findings{}
	for _, tt := range []struct {
		name, text string
		want       strict.Findings
	}{
		{"no findings", to("", "service: {port: 8901}"), none},
		{"ports as in ESP's samples", to("", "service: {ports: [8080]}"), none},
		{"TLS only", "service: {tls: {port: 1, cert-file: secrets/server.crt, key-file: secrets/server.key}}\n" + to("", ""), none},
		{"no port", to("", ""), strict.Findings{Notes: strict.Errors{{Path: "service.port", Line: 0, Text: "not set, so XDR is received on port 8901; ESP's default is 8080"}}}},
		{"not YAML", "a: [", strict.Findings{Errors: strict.Errors{{Path: "", Line: 2, Text: "not YAML: did not find expected node content"}}}},
		{"error and warning", to("", "service:\n  io-threads: 4\n  port: http\n"), strict.Findings{
			Errors:   strict.Errors{{Path: "service.port[0]", Line: 6, Text: `"http" is not an integer`}},
			Warnings: strict.Errors{{Path: "service.io-threads", Line: 5, Text: "ignored: goroutines are not threads; set GOMAXPROCS to limit the processors"}},
		}},
		{"error and warning about one value", to("", "service: {port: 1, io-threads: many}"), strict.Findings{
			Errors: strict.Errors{{Path: "service.io-threads", Line: 4, Text: `"many" is not an integer`}},
		}},
	} {
		if diff := cmp.Diff(tt.want, config.Examine([]byte(tt.text), config.Folder(t)), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// Sizes may have units.
func TestParse_sizes(t *testing.T) {
	c := read(t, "service: {max-concurrent-bytes: 256MiB, max-message-bytes: 128 MiB, record-ordering-cache-bytes: 1GiB, socket-receive-buffer-bytes: 64KiB}\n"+
		to(", compression: gzip, compression-threshold: 1_000", "batching: {max-bytes: 1MiB}"), "")
	s := c.Service
	got := []int{s.MaxBytes, s.MaxMessageBytes, s.OrderingBytes, s.ReceiveBuffer, c.Destinations["sink"].GzipThreshold, c.Pipelines.Root.Stream.MaxBytes}
	if diff := cmp.Diff([]int{256 << 20, 128 << 20, 1 << 30, 64 << 10, 1000, 1 << 20}, got); diff != "" {
		t.Errorf("sizes (-want +got):\n%s", diff)
	}
}
