package main

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/aerosink/aerosink/connector/cli"
	"github.com/aerosink/aerosink/connector/config"
)

// xdrOptions are the flags of xdr-config.
type xdrOptions struct {
	namespaces []string // empty: those in the configuration
	hosts      []string // empty: this machine
	tlsName    string   // in the connectors' certificate; "": each one's host
}

func (o *xdrOptions) flags(f *flag.FlagSet) {
	appendTo := func(list *[]string) func(string) error {
		return func(name string) error {
			*list = append(*list, name)
			return nil
		}
	}
	f.Func("host", "the name or address `HOST` at which the database finds a connector; may be repeated (default: the name of this machine)", appendTo(&o.hosts))
	f.Func("namespace", "a namespace `NS` to ship; may be repeated (default: the namespaces in the configuration)", appendTo(&o.namespaces))
	f.StringVar(&o.tlsName, "tls-name", "", "the `NAME` in the certificate that all connectors share (default: the host of each)")
}

// dataCenter is the database's name for the connectors.
const dataCenter = "aerosink"

// printXDRConfig prints how to point a database at the ports of c: the stanza for its
// configuration, and the commands that do the same without a restart
// (https://aerospike.com/docs/database/manage/xdr/dynamic-xdr).
func printXDRConfig(stdout io.Writer, c *config.Config, o xdrOptions) error {
	if len(o.namespaces) == 0 {
		o.namespaces = slices.Sorted(maps.Keys(c.Pipelines.Namespaces))
	}
	if len(o.namespaces) == 0 {
		return cli.Usagef("the configuration names no namespace; name those to ship with -namespace")
	}
	if len(o.hosts) == 0 {
		host, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("find the name of this machine: %w; name it with -host", err)
		}
		o.hosts = []string{host}
	}
	names := slices.Concat(o.namespaces, o.hosts)
	if o.tlsName != "" {
		names = append(names, o.tlsName)
	}
	for _, name := range names {
		if !safeName.MatchString(name) {
			return cli.Usagef("invalid name %q: want letters, digits and _ $ . : -, which mean nothing else to the database", name)
		}
	}
	if o.tlsName != "" && len(c.Service.TLS.Listen) == 0 {
		return cli.Usagef("-tls-name is given, but the configuration has no TLS port; add service.tls, or remove the flag")
	}
	addresses := nodeAddresses(c.Service, o.hosts, o.tlsName)
	if _, err := io.WriteString(stdout, stanza(addresses, o.namespaces)); err != nil {
		return err
	}
	_, err := io.WriteString(stdout, dynamicCommands(addresses, o.namespaces))
	return err
}

// safeName matches names without characters that are special to the database or to a
// shell.
var safeName = regexp.MustCompile(`^[A-Za-z0-9_$.:-]+$`)

// nodeAddress is a port of a connector, as in the database's node-address-port.
type nodeAddress struct {
	host, port string
	tlsName    string // "" for clear text
}

// nodeAddresses returns the ports of connectors that run with s, first those for clear
// text. A port that listens on all addresses gets each of hosts.
func nodeAddresses(s config.Service, hosts []string, tlsName string) []nodeAddress {
	var list []nodeAddress
	add := func(address, host string, tls bool) {
		h, port, err := net.SplitHostPort(address)
		if ip := net.ParseIP(h); err != nil || h == "" || ip != nil && ip.IsUnspecified() {
			h = host
		}
		a := nodeAddress{host: h, port: port}
		if tls {
			a.tlsName = cmp.Or(tlsName, h)
		}
		if !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	for _, host := range hosts {
		for _, a := range s.Listen {
			add(a, host, false)
		}
	}
	for _, host := range hosts {
		for _, a := range s.TLS.Listen {
			add(a, host, true)
		}
	}
	return list
}

func (a nodeAddress) isTLS() bool { return a.tlsName != "" }

// stanza returns the section xdr of aerospike.conf.
func stanza(addresses []nodeAddress, namespaces []string) string {
	var s strings.Builder
	s.WriteString("# In aerospike.conf on each node. This needs Enterprise Edition 5.0 or later, with the\n# feature key asdb-change-notification.\n")
	fmt.Fprintf(&s, "xdr {\n    dc %s {\n        connector true\n", dataCenter)
	if slices.ContainsFunc(addresses, nodeAddress.isTLS) {
		s.WriteString("        tls-name NAME  # the tls block of the network section that has the CA of the connector's certificate\n")
	}
	for _, a := range addresses {
		fmt.Fprintf(&s, "        node-address-port %s %s", a.host, a.port)
		if a.isTLS() {
			s.WriteString(" " + a.tlsName)
		}
		s.WriteString("\n")
	}
	for _, n := range namespaces {
		fmt.Fprintf(&s, "        namespace %s {\n        }\n", n)
	}
	s.WriteString("    }\n}\n")
	return s.String()
}

// dynamicCommands returns the commands that configure a running node.
func dynamicCommands(addresses []nodeAddress, namespaces []string) string {
	var s strings.Builder
	s.WriteString("\n# Or without a restart, on each node. Each command prints ok. Before release 5.7 the node\n" +
		"# must have been started with an xdr stanza.\n")
	set := func(setting string) {
		fmt.Fprintf(&s, "asinfo -v 'set-config:context=xdr;dc=%s;%s'\n", dataCenter, setting)
	}
	set("action=create")
	set("connector=true")
	if slices.ContainsFunc(addresses, nodeAddress.isTLS) {
		set("tls-name=NAME")
	}
	for _, a := range addresses {
		address := net.JoinHostPort(a.host, a.port)
		if a.isTLS() {
			address += ":" + a.tlsName
		}
		set("node-address-port=" + address + ";action=add")
	}
	for _, n := range namespaces {
		set("namespace=" + n + ";action=add")
	}
	s.WriteString("# To also ship the records that are there already, add each namespace with …;action=add;rewind=all\n")
	return s.String()
}
