package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/config"
)

const wantXDRConfig = `# In aerospike.conf on each node. This needs Enterprise Edition 5.0 or later, with the
# feature key asdb-change-notification.
xdr {
    dc aerosink {
        connector true
        node-address-port 10.0.0.5 8901
        node-address-port 10.0.0.5 8911
        namespace bank {
        }
        namespace shop {
        }
    }
}

# Or without a restart, on each node. Each command prints ok. Before release 5.7 the node
# must have been started with an xdr stanza.
asinfo -v 'set-config:context=xdr;dc=aerosink;action=create'
asinfo -v 'set-config:context=xdr;dc=aerosink;connector=true'
asinfo -v 'set-config:context=xdr;dc=aerosink;node-address-port=10.0.0.5:8901;action=add'
asinfo -v 'set-config:context=xdr;dc=aerosink;node-address-port=10.0.0.5:8911;action=add'
asinfo -v 'set-config:context=xdr;dc=aerosink;namespace=bank;action=add'
asinfo -v 'set-config:context=xdr;dc=aerosink;namespace=shop;action=add'
# To also ship the records that are there already, add each namespace with …;action=add;rewind=all
`

func TestXDRConfig(t *testing.T) {
	path := filepath.Join(t.TempDir(), "connector.yml")
	text := "service: {ports: [8901, 8911]}\ndestinations: {a: {urls: [\"https://b\"]}}\nrouting: {mode: static, destination: a}\n" +
		"namespaces: {shop: {format: json}, bank: {format: json}}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := run(t.Context(), []string{"xdr-config", "-config", path, "-host", "10.0.0.5"}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wantXDRConfig, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	out.Reset()
	if err := run(t.Context(), []string{"xdr-config", "-config", path, "-namespace", "x", "-namespace", "y"}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	here, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"node-address-port " + here + " 8901\n", "namespace x {", "namespace=y;action=add"} {
		if !strings.Contains(out.String(), want) || strings.Contains(out.String(), "bank") {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

// Several connectors with the same configuration: each host is named, and the certificate
// that they share has one name. Its files need not exist here.
func TestXDRConfig_severalHosts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "connector.yml")
	text := "service: {tls: {port: 8901, cert-file: /run/aerosink/tls/certificate, key-file: /run/aerosink/tls/key}}\n" +
		"destinations: {a: {urls: [\"https://b\"]}}\nrouting: {mode: static, destination: a}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	args := []string{"xdr-config", "-config", path, "-host", "10.0.0.5", "-host", "10.0.0.6", "-tls-name", "connector.shop", "-namespace", "n"}
	if err := run(t.Context(), args, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"        node-address-port 10.0.0.5 8901 connector.shop\n        node-address-port 10.0.0.6 8901 connector.shop\n",
		"node-address-port=10.0.0.5:8901:connector.shop;action=add'\n", "node-address-port=10.0.0.6:8901:connector.shop;action=add'\n",
	} {
		if strings.Count(out.String(), want) != 1 {
			t.Errorf("want %q once in\n%s", want, out.String())
		}
	}
}

// A port that listens on one address is named by it, others by the host. A TLS port also
// has the name in the certificate.
func TestXDRConfig_addresses(t *testing.T) {
	c := &config.Config{Service: config.Service{
		Listen: []string{"127.0.0.1:1", "[::]:2", "0.0.0.0:2"}, TLS: config.TLSPorts{Listen: []string{"0.0.0.0:3"}},
	}}
	var out bytes.Buffer
	if err := printXDRConfig(&out, c, xdrOptions{namespaces: []string{"n"}, hosts: []string{"host.example", "second.example"}}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"node-address-port 127.0.0.1 1\n", "node-address-port host.example 2\n", "node-address-port host.example 3 host.example\n", "tls-name NAME",
		"node-address-port second.example 2\n", "node-address-port second.example 3 second.example\n",
		"node-address-port=host.example:3:host.example;action=add'",
	} {
		if strings.Count(out.String(), want) != 1 {
			t.Errorf("want %q once in\n%s", want, out.String())
		}
	}
}

func TestXDRConfig_errors(t *testing.T) {
	for _, tt := range []struct {
		xdrOptions
		want string
	}{
		{xdrOptions{hosts: []string{"h"}}, "name those to ship with -namespace"},
		{xdrOptions{namespaces: []string{"a b"}, hosts: []string{"h"}}, `invalid name "a b"`},
		{xdrOptions{namespaces: []string{"a"}, hosts: []string{"h", "h'; rm"}}, `invalid name "h'; rm"`},
		{xdrOptions{namespaces: []string{"a"}, hosts: []string{"h"}, tlsName: "x y"}, `invalid name "x y"`},
		{xdrOptions{namespaces: []string{"a"}, hosts: []string{"h", ""}}, `invalid name ""`},
		{xdrOptions{namespaces: []string{"a"}, hosts: []string{"h"}, tlsName: "h"}, "the configuration has no TLS port"},
	} {
		if err := printXDRConfig(io.Discard, &config.Config{}, tt.xdrOptions); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: error %v, want one that says %q", tt.xdrOptions, err, tt.want)
		}
	}
}
