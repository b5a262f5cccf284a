package main

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/aerosink/aerosink/connector/cli"
	"github.com/aerosink/aerosink/connector/config"
	"github.com/aerosink/aerosink/connector/route"
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

// dataCenter is one of the database's names for the connectors, with the ports that it ships
// to.
type dataCenter struct {
	name       string
	addresses  []nodeAddress
	namespaces []string
}

// dataCenterName is the name of the data center for the ports without a configuration of
// their own. Those of the others end in their port.
const dataCenterName = "aerosink"

// nodeAddress is a port of a connector, as in the database's node-address-port.
type nodeAddress struct {
	host, port string
	tlsName    string // "" for clear text
}

// printXDRConfig prints how to point a database at the ports of c: the stanza for its
// configuration, and the commands that do the same without a restart
// (https://aerospike.com/docs/database/manage/xdr/dynamic-xdr).
func printXDRConfig(stdout io.Writer, c *config.Config, o xdrOptions) error {
	if err := o.check(c.Service); err != nil {
		return err
	}
	centers, err := dataCenters(c, o)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(stdout, stanza(centers)); err != nil {
		return err
	}
	_, err = io.WriteString(stdout, dynamicCommands(centers))
	return err
}

// safeName matches names without characters that are special to the database or to a
// shell.
var safeName = regexp.MustCompile(`^[A-Za-z0-9_$.-]+$`)

// check returns an error if a name is not one, or does not belong to the ports of s.
func (o *xdrOptions) check(s config.Service) error {
	for _, host := range o.hosts {
		if err := checkHost(host); err != nil {
			return err
		}
	}
	names := o.namespaces
	if o.tlsName != "" {
		names = append(slices.Clone(names), o.tlsName)
	}
	for _, name := range names {
		if !safeName.MatchString(name) {
			return cli.Usagef("invalid name %q: want letters, digits and _ $ . -, which mean nothing else to the database", name)
		}
	}
	if o.tlsName != "" && len(s.TLS.Listen) == 0 {
		return cli.Usagef("-tls-name is given, but the configuration has no TLS port; add service.tls, or remove the flag")
	}
	return nil
}

func checkHost(host string) error {
	if ip, err := netip.ParseAddr(host); err == nil && ip.Zone() == "" || safeName.MatchString(host) {
		return nil
	}
	if name, port, err := net.SplitHostPort(host); err == nil {
		return cli.Usagef("-host %s includes the port %s; write -host %s, since the ports are those of the configuration", host, port, name)
	}
	return cli.Usagef("invalid host %q: want a name or an address", host)
}

// dataCenters returns one for the ports that share a configuration, and one for each port
// that has its own.
func dataCenters(c *config.Config, o xdrOptions) ([]dataCenter, error) {
	ports := slices.Sorted(maps.Keys(c.Ports))
	isOwn := func(port string) bool {
		return slices.ContainsFunc(ports, func(own int) bool { return strconv.Itoa(own) == port })
	}
	var list []dataCenter
	add := func(name string, levels route.Levels[config.Pipeline], isOf func(port string) bool) error {
		d := dataCenter{name: name, namespaces: o.namespaces}
		if len(d.namespaces) == 0 {
			d.namespaces = slices.Sorted(maps.Keys(levels.Namespaces))
		}
		listen := addressesOf(c.Service, isOf)
		if len(listen) == 0 {
			return nil
		}
		if len(d.namespaces) == 0 {
			return cli.Usagef("the configuration names no namespace; name those to ship with -namespace")
		}
		var err error
		d.addresses, err = nodeAddresses(listen, o)
		list = append(list, d)
		return err
	}
	err := add(dataCenterName, c.Pipelines, func(port string) bool { return !isOwn(port) })
	for _, own := range ports {
		if err == nil {
			number := strconv.Itoa(own)
			err = add(dataCenterName+"-"+number, c.Ports[own], func(port string) bool { return port == number })
		}
	}
	return list, err
}

// listenAddress is an address that a connector listens on.
type listenAddress struct {
	host, port string
	tls        bool
}

// addressesOf returns the addresses that a connector with s listens on, of some ports, first
// those for clear text.
func addressesOf(s config.Service, isOf func(port string) bool) []listenAddress {
	var list []listenAddress
	add := func(addresses []string, tls bool) {
		for _, a := range addresses {
			if host, port, err := net.SplitHostPort(a); err == nil && isOf(port) {
				list = append(list, listenAddress{host, port, tls})
			}
		}
	}
	add(s.Listen, false)
	add(s.TLS.Listen, true)
	return list
}

// isEverywhere reports whether a is on all addresses of the machine.
func (a listenAddress) isEverywhere() bool {
	ip, err := netip.ParseAddr(a.host)
	return a.host == "" || err == nil && ip.Unmap().IsUnspecified()
}

// isLoopback reports whether only the machine itself finds host.
func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// nodeAddress returns a as the database finds it at host.
func (a listenAddress) nodeAddress(host, tlsName string) nodeAddress {
	n := nodeAddress{host: host, port: a.port}
	if a.tls {
		n.tlsName = cmp.Or(tlsName, host)
	}
	return n
}

// nodeAddresses returns where the database finds the connectors: at the hosts that o names.
// If it names none, a port that listens on all addresses is found at this machine's name, any
// other at its address.
func nodeAddresses(listen []listenAddress, o xdrOptions) ([]nodeAddress, error) {
	if len(o.hosts) > 0 {
		return atHosts(listen, o)
	}
	here, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("find the name of this machine: %w; name it with -host", err)
	}
	var list []nodeAddress
	for _, a := range listen {
		host := a.host
		if a.isEverywhere() {
			host = here
		}
		list = append(list, a.nodeAddress(host, o.tlsName))
	}
	return unique(list), nil
}

// atHosts is like nodeAddresses, for hosts that are named. A port on another address is
// found there too, since addresses may be translated on the way, but not one on a loopback
// address.
func atHosts(listen []listenAddress, o xdrOptions) ([]nodeAddress, error) {
	var list []nodeAddress
	for _, tls := range []bool{false, true} {
		for _, host := range o.hosts {
			for _, a := range listen {
				if a.tls == tls && (!isLoopback(a.host) || isLoopback(host)) {
					list = append(list, a.nodeAddress(host, o.tlsName))
				}
			}
		}
	}
	for _, host := range o.hosts {
		if !slices.ContainsFunc(list, func(a nodeAddress) bool { return a.host == host }) {
			return nil, cli.Usagef("the database cannot reach a connector at -host %s: service.address is %s, which only the same machine reaches; set it to 0.0.0.0, or to an address of that host", host, listen[0].host)
		}
	}
	return unique(list), nil
}

// unique returns list without repetitions.
func unique(list []nodeAddress) []nodeAddress {
	var kept []nodeAddress
	for _, a := range list {
		if !slices.Contains(kept, a) {
			kept = append(kept, a)
		}
	}
	return kept
}

func (a nodeAddress) isTLS() bool { return a.tlsName != "" }

func hasTLS(d dataCenter) bool { return slices.ContainsFunc(d.addresses, nodeAddress.isTLS) }

// stanza returns the section xdr of aerospike.conf.
func stanza(centers []dataCenter) string {
	var s strings.Builder
	s.WriteString("# In aerospike.conf on each node. This needs Enterprise Edition 5.0 or later, with the\n# feature key asdb-change-notification.\nxdr {\n")
	for _, d := range centers {
		fmt.Fprintf(&s, "    dc %s {\n        connector true\n", d.name)
		if hasTLS(d) {
			s.WriteString("        tls-name NAME  # the tls block of the network section that has the CA of the connector's certificate\n")
		}
		for _, a := range d.addresses {
			fmt.Fprintf(&s, "        node-address-port %s %s", a.host, a.port)
			if a.isTLS() {
				s.WriteString(" " + a.tlsName)
			}
			s.WriteString("\n")
		}
		for _, n := range d.namespaces {
			fmt.Fprintf(&s, "        namespace %s {\n        }\n", n)
		}
		s.WriteString("    }\n")
	}
	s.WriteString("}\n")
	return s.String()
}

// dynamicCommands returns the commands that configure a running node.
func dynamicCommands(centers []dataCenter) string {
	var s strings.Builder
	s.WriteString("\n# Or without a restart, on each node. Each command prints ok. Before release 5.7 the node\n" +
		"# must have been started with an xdr stanza.\n")
	for _, d := range centers {
		set := func(setting string) {
			fmt.Fprintf(&s, "asinfo -v 'set-config:context=xdr;dc=%s;%s'\n", d.name, setting)
		}
		set("action=create")
		set("connector=true")
		if hasTLS(d) {
			set("tls-name=NAME")
		}
		for _, a := range d.addresses {
			address := net.JoinHostPort(a.host, a.port)
			if a.isTLS() {
				address += ":" + a.tlsName
			}
			set("node-address-port=" + address + ";action=add")
		}
		for _, n := range d.namespaces {
			set("namespace=" + n + ";action=add")
		}
	}
	s.WriteString("# To also ship the records that are there already, add each namespace with …;action=add;rewind=all\n")
	return s.String()
}
