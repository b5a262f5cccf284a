package main

import (
	"bytes"
	"io"
	"net"
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

// printed returns what xdr-config prints for a connector that listens on addresses, in clear
// text and with TLS.
func printed(t *testing.T, clear, secure []string, o xdrOptions) string {
	t.Helper()
	c := &config.Config{Service: config.Service{Listen: clear, TLS: config.TLSPorts{Listen: secure}}}
	o.namespaces = []string{"n"}
	var out bytes.Buffer
	if err := printXDRConfig(&out, c, o); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// The hosts that are named are where the database finds the ports, on whichever address
// they listen. A TLS port also has the name in the certificate.
func TestXDRConfig_hosts(t *testing.T) {
	out := printed(t, []string{"10.0.0.7:1", "[::]:2", "0.0.0.0:2"}, []string{"0.0.0.0:3"}, xdrOptions{hosts: []string{"host.example", "fd00::5"}})
	for _, want := range []string{
		"node-address-port host.example 1\n", "node-address-port host.example 2\n", "node-address-port host.example 3 host.example\n", "tls-name NAME",
		"node-address-port fd00::5 1\n", "node-address-port fd00::5 2\n", "node-address-port fd00::5 3 fd00::5\n",
		"node-address-port=host.example:3:host.example;action=add'", "node-address-port=[fd00::5]:1;action=add'",
	} {
		if strings.Count(out, want) != 1 {
			t.Errorf("want %q once in\n%s", want, out)
		}
	}
	if strings.Contains(out, "10.0.0.7") {
		t.Errorf("the address it listens on is in\n%s", out)
	}
}

// Without a host, a port on one address is found there.
func TestXDRConfig_addresses(t *testing.T) {
	here, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	out := printed(t, []string{"127.0.0.1:1", "10.0.0.7:1", "0.0.0.0:2"}, []string{"10.0.0.7:3"}, xdrOptions{})
	for _, want := range []string{"node-address-port 127.0.0.1 1\n", "node-address-port 10.0.0.7 1\n", "node-address-port " + here + " 2\n", "node-address-port 10.0.0.7 3 10.0.0.7\n"} {
		if strings.Count(out, want) != 1 {
			t.Errorf("want %q once in\n%s", want, out)
		}
	}
}

// A port on a loopback address is found only on the same machine.
func TestXDRConfig_loopback(t *testing.T) {
	out := printed(t, []string{"127.0.0.1:1"}, nil, xdrOptions{hosts: []string{"localhost"}})
	if want := "node-address-port localhost 1\n"; !strings.Contains(out, want) {
		t.Errorf("want %q in\n%s", want, out)
	}
	out = printed(t, []string{"127.0.0.1:1", "10.0.0.7:2"}, nil, xdrOptions{hosts: []string{"10.0.0.5"}})
	if want := "node-address-port 10.0.0.5 2\n"; !strings.Contains(out, want) || strings.Contains(out, " 1\n") {
		t.Errorf("want %q, and nothing of port 1, in\n%s", want, out)
	}
	for _, address := range []string{"127.0.0.1", "::1", "localhost"} {
		c := &config.Config{Service: config.Service{Listen: []string{net.JoinHostPort(address, "1")}}}
		err := printXDRConfig(io.Discard, c, xdrOptions{namespaces: []string{"n"}, hosts: []string{"10.0.0.5"}})
		if want := "at -host 10.0.0.5: service.address is " + address + ", which only the same machine reaches; set it to 0.0.0.0"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", address, err, want)
		}
	}
}

const wantXDRConfigOfPorts = `xdr {
    dc aerosink {
        connector true
        node-address-port 10.0.0.5 8901
        namespace shop {
        }
    }
    dc aerosink-9901 {
        connector true
        node-address-port 10.0.0.5 9901
        namespace bank {
        }
        namespace shop {
        }
    }
}
`

// A port with a configuration of its own needs a data center of its own, so that each gets
// every change.
func TestXDRConfig_ports(t *testing.T) {
	c, err := config.Parse([]byte("service: {ports: [8901, 9901]}\ndestinations: {a: {urls: [\"https://b\"]}}\nrouting: {mode: static, destination: a}\n"+
		"namespaces: {shop: {format: json}}\nport-based-config: {9901: {namespaces: {bank: {format: json}}}}\n"), "")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := printXDRConfig(&out, c, xdrOptions{hosts: []string{"10.0.0.5"}}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), wantXDRConfigOfPorts) {
		t.Errorf("want\n%s\nin\n%s", wantXDRConfigOfPorts, out.String())
	}
	for _, want := range []string{"dc=aerosink;node-address-port=10.0.0.5:8901;", "dc=aerosink-9901;action=create'\n", "dc=aerosink-9901;node-address-port=10.0.0.5:9901;", "dc=aerosink-9901;namespace=bank;"} {
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
		{xdrOptions{namespaces: []string{"a"}, hosts: []string{"h", "h'; rm"}}, `invalid host "h'; rm"`},
		{xdrOptions{namespaces: []string{"a"}, hosts: []string{"h"}, tlsName: "x y"}, `invalid name "x y"`},
		{xdrOptions{namespaces: []string{"a"}, hosts: []string{"h", ""}}, `invalid host ""`},
		{xdrOptions{namespaces: []string{"a"}, hosts: []string{"h"}, tlsName: "h"}, "the configuration has no TLS port"},
		{xdrOptions{namespaces: []string{"a"}, hosts: []string{"10.0.0.5:3000"}}, "-host 10.0.0.5:3000 includes the port 3000; write -host 10.0.0.5, since the ports are those of the configuration"},
		{xdrOptions{namespaces: []string{"a"}, hosts: []string{"[::1]:3000"}}, "-host [::1]:3000 includes the port 3000; write -host ::1, since"},
		{xdrOptions{namespaces: []string{"a"}, hosts: []string{"host.example:3000"}}, "-host host.example:3000 includes the port 3000; write -host host.example, since"},
		{xdrOptions{namespaces: []string{"a"}, hosts: []string{"[::1]"}}, `invalid host "[::1]": want a name or an address`},
		{xdrOptions{namespaces: []string{"a:b"}, hosts: []string{"h"}}, `invalid name "a:b"`},
	} {
		c := &config.Config{Service: config.Service{Listen: []string{"0.0.0.0:8901"}}}
		if err := printXDRConfig(io.Discard, c, tt.xdrOptions); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: error %v, want one that says %q", tt.xdrOptions, err, tt.want)
		}
	}
}
