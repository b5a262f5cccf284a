package config_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/aerosink/aerosink/connector/config"
)

// A fault hides no warning but one about the value that is wrong itself.
func TestExamine(t *testing.T) {
	none := config.Findings{}
	for _, tt := range []struct {
		name, text string
		want       config.Findings
	}{
		{"nothing", to("", "service: {port: 8901}"), none},
		{"ports, as in ESP's samples", to("", "service: {ports: [8080]}"), none},
		{"TLS alone", "service: {tls: {port: 1, cert-file: secrets/server.crt, key-file: secrets/server.key}}\n" + to("", ""), none},
		{"no port", to("", ""), config.Findings{Notes: config.Faults{{"service.port", 0, "not said, so XDR is awaited on port 8901; ESP's default is 8080"}}}},
		{"no YAML", "a: [", config.Findings{Faults: config.Faults{{"", 0, "not YAML: yaml: line 2: did not find expected node content"}}}},
		{"a fault and a warning", to("", "service:\n  io-threads: 4\n  port: http\n"), config.Findings{
			Faults:   config.Faults{{"service.port[0]", 6, `"http" is no whole number`}},
			Warnings: config.Faults{{"service.io-threads", 5, "ignored: goroutines are not threads; set GOMAXPROCS to limit the processors"}},
		}},
		{"a fault and a warning of one value", to("", "service: {port: 1, io-threads: many}"), config.Findings{
			Faults: config.Faults{{"service.io-threads", 4, `"many" is no whole number`}},
		}},
	} {
		if diff := cmp.Diff(tt.want, config.Examine([]byte(tt.text), config.Folder(t)), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// A size may have a unit.
func TestSizes(t *testing.T) {
	c := read(t, "service: {max-concurrent-bytes: 256MiB, max-message-bytes: 128 MiB, record-ordering-cache-bytes: 1GiB, socket-receive-buffer-bytes: 64KiB}\n"+
		to(", compression: gzip, compression-threshold: 1_000", "batching: {max-bytes: 1MiB}"), "")
	s := c.Service
	got := []int{s.MaxBytes, s.MaxMessageBytes, s.OrderingBytes, s.ReceiveBuffer, c.Destinations["sink"].GzipThreshold, c.Treatments.Root.Stream.MaxBytes}
	if diff := cmp.Diff([]int{256 << 20, 128 << 20, 1 << 30, 64 << 10, 1000, 1 << 20}, got); diff != "" {
		t.Errorf("sizes (-want +got):\n%s", diff)
	}
}
