package config

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"strings"

	"github.com/aerosink/aerosink/connector/config/strict"
)

// everyAddress is the address to listen on if none is set.
const everyAddress = "0.0.0.0"

// address is an address that the connector listens on.
type address struct {
	host string
	port int
	path string // of the key that sets the port
}

// ports reads the ports of s for clear text and for TLS. If s sets only TLS ports, there are
// none for clear text.
func ports(s *section, port int) (clear []string, secure TLSPorts) {
	if s.Has("tls") {
		t := s.Sub("tls")
		if !t.Has("port") && !t.Has("ports") {
			t.Error("port", "missing; set the port for TLS")
		}
		secure = TLSPorts{Listen: listen(t, 0), Config: tlsServer(t)}
		t.End()
		if !s.Has("port") && !s.Has("ports") {
			s.Node("address")
			return nil, secure
		}
	}
	return listen(s, port), secure
}

// listen returns every combination of an address and a port. ESP's reference calls the key
// port, and its samples ports.
func listen(s *section, port int) []string {
	hosts := s.Texts("address")
	for i, h := range hosts {
		checkAddress(s, h)
		checkOverlap(s, h, hosts[:i])
	}
	if len(hosts) == 0 {
		hosts = []string{everyAddress}
	}
	var joined []string
	numbers := 0
	for _, key := range []string{"port", "ports"} {
		for i, n := range s.List(key) {
			numbers++
			if p := s.ParseInt(fmt.Sprintf("%s[%d]", key, i), n, -1, 0, math.MaxUint16); p >= 0 {
				joined = append(joined, s.open(hosts, p, strict.Join(s.Path, key), n)...)
			}
		}
	}
	if numbers == 0 {
		joined = s.open(hosts, port, strict.Join(s.Path, "port"), s.Position())
	}
	return joined
}

// checkAddress reports an invalid address to listen on. Host names are looked up only when
// the connector starts.
func checkAddress(s *section, host string) {
	unbracketed := strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	last := host[strings.LastIndexByte(host, '.')+1:]
	_, _, notHostPort := net.SplitHostPort(host)
	switch {
	case isAddress(host):
	case notHostPort == nil:
		s.Error("address", "%q includes a port; write the port under port", host)
	case isAddress(unbracketed):
		s.Error("address", "%q has brackets, which only an address with a port needs; write %s", host, unbracketed)
	case strings.Trim(host, nameLetters) != "" || strings.Trim(last, "0123456789") == "":
		s.Error("address", "invalid address %q: want, for example, 127.0.0.1, or 0.0.0.0 for all", host)
	}
}

// checkOverlap reports an error if host is one of others, or includes one, or is included.
func checkOverlap(s *section, host string, others []string) {
	for _, other := range others {
		switch {
		case host == other:
			s.Error("address", "%s twice; remove one of them", host)
		case everywhere(other):
			s.Error("address", "%s has all addresses, of IPv4 and of IPv6, and so %s too; remove one of them", other, host)
		case everywhere(host):
			s.Error("address", "%s has all addresses, of IPv4 and of IPv6, and so %s too; remove one of them", host, other)
		}
	}
}

// overlap reports whether a port cannot be opened on both addresses.
func overlap(a, b string) bool { return a == b || everywhere(a) || everywhere(b) }

func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

// nameLetters are the characters of host names.
const nameLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."

// everywhere reports whether host stands for all addresses.
func everywhere(host string) bool {
	ip := net.ParseIP(host)
	return host == "" || ip != nil && ip.IsUnspecified()
}
