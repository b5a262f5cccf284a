package config_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/config"
	"github.com/aerosink/aerosink/connector/config/strict"
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

// An address for all addresses includes the others.
func TestParse_addressesTwice(t *testing.T) {
	for _, tt := range []struct{ addresses, want string }{
		{`["::", "0.0.0.0"]`, "service.address: :: has all addresses, of IPv4 and of IPv6, and so 0.0.0.0 too; remove one of them"},
		{`[0.0.0.0, "::"]`, "service.address: 0.0.0.0 has all addresses, of IPv4 and of IPv6, and so :: too; remove one of them"},
		{`[10.0.0.5, "::"]`, "service.address: :: has all addresses, of IPv4 and of IPv6, and so 10.0.0.5 too; remove one of them"},
		{`["0.0.0.0", "::1"]`, "service.address: 0.0.0.0 has all addresses, of IPv4 and of IPv6, and so ::1 too; remove one of them"},
		{`[127.0.0.1, 127.0.0.1]`, "service.address: 127.0.0.1 twice; remove one of them"},
	} {
		_, err := config.Parse([]byte(to("", "service: {port: [1, 2], address: "+tt.addresses+"}")), "")
		var errs strict.Errors
		if !errors.As(err, &errs) || len(errs) != 1 || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want only %q", tt.addresses, err, tt.want)
		}
	}
}

// A port that is not a number is not taken for the default port.
func TestParse_invalidPort(t *testing.T) {
	_, err := config.Parse([]byte(to("", "service: {port: http, manage: {port: 8901}}")), "")
	if want := `line 4: service.port[0]: "http" is not an integer`; err == nil || err.Error() != want {
		t.Errorf("error %v, want only %q", err, want)
	}
}

// Networks may be written as the address of a host; those of IPv4 also in their form for
// IPv6.
func TestParse_allow(t *testing.T) {
	for text, want := range map[string]string{
		"10.0.0.0/8": "[10.0.0.0/8]", "[10.0.0.5, \"::1\", \"fd00::/8\"]": "[10.0.0.5/32 ::1/128 fd00::/8]",
		"\"::ffff:10.0.0.0/104\"": "[10.0.0.0/8]", "\"::ffff:10.0.0.5\"": "[10.0.0.5/32]", "[0.0.0.0/0, \"::/0\"]": "[0.0.0.0/0 ::/0]",
	} {
		if got := fmt.Sprint(read(t, to("", "service: {allow: "+text+"}"), "").Service.Allow); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	if got := read(t, to("", ""), "").Service.Allow; got != nil {
		t.Errorf("by default %v, want nil", got)
	}
}
