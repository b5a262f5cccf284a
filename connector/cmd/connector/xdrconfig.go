package main

import (
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

// seed is a port of the connector as a database is told of it.
type seed struct {
	host, port string
	tls        bool // then the host is also the name in the certificate
}

// dataCenter is what the database calls the connector.
const dataCenter = "aerosink"

// printXDRConfig prints how to point a database at the ports of c: the stanza of
// its configuration, and the commands that do the same without a restart
// (https://aerospike.com/docs/database/manage/xdr/dynamic-xdr). Without namespaces
// they are those that c names; without a host it is this machine.
func printXDRConfig(stdout io.Writer, c *config.Config, namespaces []string, host string) error {
	if len(namespaces) == 0 {
		namespaces = slices.Sorted(maps.Keys(c.Treatments.Namespaces))
	}
	if len(namespaces) == 0 {
		return errors.New("connector xdr-config: the configuration names no namespace; name those to ship with -namespace")
	}
	if host == "" {
		var err error
		if host, err = os.Hostname(); err != nil {
			return fmt.Errorf("connector xdr-config: %w; name this machine with -host", err)
		}
	}
	for _, name := range append(slices.Clone(namespaces), host) {
		if !speakable.MatchString(name) {
			return fmt.Errorf("connector xdr-config: %q cannot stand in the database's configuration", name)
		}
	}
	seeds := append(seedsOf(c.Service.Listen, host, false), seedsOf(c.Service.TLS.Listen, host, true)...)
	if _, err := io.WriteString(stdout, stanza(seeds, namespaces)); err != nil {
		return err
	}
	_, err := io.WriteString(stdout, commands(seeds, namespaces))
	return err
}

// speakable is a name that means only itself to the database and to a shell.
var speakable = regexp.MustCompile(`^[A-Za-z0-9_$.:-]+$`)

// seedsOf returns addresses with the host in place of those that are any address
// of this machine.
func seedsOf(addresses []string, host string, tls bool) []seed {
	var seeds []seed
	for _, a := range addresses {
		h, port, err := net.SplitHostPort(a)
		if ip := net.ParseIP(h); err != nil || h == "" || ip != nil && ip.IsUnspecified() {
			h = host
		}
		if s := (seed{h, port, tls}); !slices.Contains(seeds, s) {
			seeds = append(seeds, s)
		}
	}
	return seeds
}

func stanza(seeds []seed, namespaces []string) string {
	var s strings.Builder
	s.WriteString("# In aerospike.conf of each node. XDR takes an Enterprise Edition from 5.0 on, with the\n# feature key asdb-change-notification.\n")
	fmt.Fprintf(&s, "xdr {\n    dc %s {\n        connector true\n", dataCenter)
	if slices.ContainsFunc(seeds, func(a seed) bool { return a.tls }) {
		s.WriteString("        tls-name NAME  # of the tls block of the section network with the authority of the connector's certificate\n")
	}
	for _, a := range seeds {
		fmt.Fprintf(&s, "        node-address-port %s %s", a.host, a.port)
		if a.tls {
			s.WriteString(" " + a.host)
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
	if slices.ContainsFunc(seeds, func(a seed) bool { return a.tls }) {
		set("tls-name=NAME")
	}
	for _, a := range seeds {
		address := net.JoinHostPort(a.host, a.port)
		if a.tls {
			address += ":" + a.host
		}
		set("node-address-port=" + address + ";action=add")
	}
	for _, n := range namespaces {
		set("namespace=" + n + ";action=add")
	}
	s.WriteString("# To ship what is there already, too, add namespaces so: …;action=add;rewind=all\n")
	return s.String()
}
