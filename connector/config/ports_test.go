package config_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/config"
)

func TestParse_addresses(t *testing.T) {
	got := read(t, to("", "service: {port: 1, address: [127.0.0.1, \"::1\", \"fe80::1%eth0\", localhost, node-1.db.internal]}"), "").Service.Listen
	want := []string{"127.0.0.1:1", "[::1]:1", "[fe80::1%eth0]:1", "localhost:1", "node-1.db.internal:1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParse_tlsPorts(t *testing.T) {
	files := "cert-file: secrets/server.crt, key-file: secrets/server.key"
	s := read(t, to("", "service: {tls: {ports: [1, 2], address: 127.0.0.1, "+files+"}, manage: {port: 3, tls: {port: 4, "+files+"}}}"), config.Folder(t)).Service
	got := [][]string{s.Listen, s.TLS.Listen, s.Manage, s.ManageTLS.Listen}
	if diff := cmp.Diff([][]string{nil, {"127.0.0.1:1", "127.0.0.1:2"}, {"0.0.0.0:3"}, {"0.0.0.0:4"}}, got); diff != "" {
		t.Errorf("ports (-want +got):\n%s", diff)
	}
	if s.TLS.Config == nil || s.ManageTLS.Config == nil {
		t.Error("no TLS configuration")
	}
}
