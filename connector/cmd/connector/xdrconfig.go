package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/aerosink/aerosink/connector/config"
)

// seed is a port of a connector as a database is told of it.
type seed struct {
	host, port string
	name       string // in the certificate; "" in clear text
}

// pointing is what a database is told beside the ports of a configuration.
type pointing struct {
	namespaces []string // none: those that the configuration names
	hosts      []string // none: this machine
	tlsName    string   // in the connectors' certificate; "": the host
}

// dataCenter is what the database calls the connector.
const dataCenter = "aerosink"

// printXDRConfig prints how to point a database at the ports of c: the stanza of
// its configuration, and the commands that do the same without a restart
// (https://aerospike.com/docs/database/manage/xdr/dynamic-xdr).
func printXDRConfig(stdout io.Writer, c *config.Config, p pointing) error {
	if len(p.namespaces) == 0 {
		p.namespaces = slices.Sorted(maps.Keys(c.Treatments.Namespaces))
	}
	if len(p.namespaces) == 0 {
		return errors.New("connector xdr-config: the configuration names no namespace; name those to ship with -namespace")
	}
	if len(p.hosts) == 0 {
		host, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("connector xdr-config: %w; name this machine with -host", err)
		}
		p.hosts = []string{host}
	}
	names := slices.Concat(p.namespaces, p.hosts)
	if p.tlsName != "" {
		names = append(names, p.tlsName)
	}
	for _, name := range names {
		if !speakable.MatchString(name) {
			return fmt.Errorf("connector xdr-config: %q cannot stand in the database's configuration", name)
		}
	}
	if p.tlsName != "" && len(c.Service.TLS.Listen) == 0 {
		return errors.New("connector xdr-config: -tls-name is given, and no port of the configuration speaks TLS; add service.tls, or leave the name out")
	}
	seeds := seedsOf(c.Service, p.hosts, p.tlsName)
	if _, err := io.WriteString(stdout, stanza(seeds, p.namespaces)); err != nil {
		return err
	}
	_, err := io.WriteString(stdout, commands(seeds, p.namespaces))
	return err
}

// speakable is a name that means only itself to the database and to a shell.
var speakable = regexp.MustCompile(`^[A-Za-z0-9_$.:-]+$`)

// seedsOf returns the ports of connectors that run with s, first those in clear
// text. A host stands in place of addresses that are any of its machine.
func seedsOf(s config.Service, hosts []string, tlsName string) []seed {
	var seeds []seed
	add := func(address, host string, tls bool) {
		h, port, err := net.SplitHostPort(address)
		if ip := net.ParseIP(h); err != nil || h == "" || ip != nil && ip.IsUnspecified() {
			h = host
		}
		a := seed{host: h, port: port}
		if tls {
			a.name = cmp.Or(tlsName, h)
		}
		if !slices.Contains(seeds, a) {
			seeds = append(seeds, a)
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
	return seeds
}

// isTLS reports whether a database reaches a over TLS.
func isTLS(a seed) bool { return a.name != "" }

func stanza(seeds []seed, namespaces []string) string {
	var s strings.Builder
	s.WriteString("# In aerospike.conf of each node. XDR takes an Enterprise Edition from 5.0 on, with the\n# feature key asdb-change-notification.\n")
	fmt.Fprintf(&s, "xdr {\n    dc %s {\n        connector true\n", dataCenter)
	if slices.ContainsFunc(seeds, isTLS) {
		s.WriteString("        tls-name NAME  # of the tls block of the section network with the authority of the connector's certificate\n")
	}
	for _, a := range seeds {
		fmt.Fprintf(&s, "        node-address-port %s %s", a.host, a.port)
		if isTLS(a) {
			s.WriteString(" " + a.name)
		}
		s.WriteString("\n")
	}
	for _, n := range namespaces {
		fmt.Fprintf(&s, "        namespace %s {\n        }\n", n)
	}
	s.WriteString("    }\n}\n")
	return s.String()
}

func commands(seeds []seed, namespaces []string) string {
	var s strings.Builder
	s.WriteString("\n# Or, without a restart, on each node; each answers ok. Before 5.7 the node must have had\n" +
		"# an xdr stanza when it started.\n")
	set := func(what string) {
		fmt.Fprintf(&s, "asinfo -v 'set-config:context=xdr;dc=%s;%s'\n", dataCenter, what)
	}
	set("action=create")
	set("connector=true")
	if slices.ContainsFunc(seeds, isTLS) {
		set("tls-name=NAME")
	}
	for _, a := range seeds {
		address := net.JoinHostPort(a.host, a.port)
		if isTLS(a) {
			address += ":" + a.name
		}
		set("node-address-port=" + address + ";action=add")
	}
	for _, n := range namespaces {
		set("namespace=" + n + ";action=add")
	}
	s.WriteString("# To ship what is there already, too, add namespaces so: …;action=add;rewind=all\n")
	return s.String()
}
