package config

import (
	"fmt"
	"net/netip"
)

// allowed reads the networks that XDR connections may come from. It returns nil if all may.
func allowed(s *section) []netip.Prefix {
	if s.CheckEmpty("allow", "list networks such as 10.0.0.0/8") {
		return nil
	}
	var networks []netip.Prefix
	for i, text := range s.Texts("allow") {
		network, err := parseNetwork(text)
		if err != nil {
			s.Error(fmt.Sprintf("allow[%d]", i), "%v", err)
			continue
		}
		networks = append(networks, network)
	}
	return networks
}

// parseNetwork parses a network, or the address of one host. Networks of IPv4 in their form
// for IPv6 are returned in their own.
func parseNetwork(text string) (netip.Prefix, error) {
	if host, err := netip.ParseAddr(text); err == nil && host.Zone() == "" {
		host = host.Unmap()
		return netip.PrefixFrom(host, host.BitLen()), nil
	}
	network, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("invalid network %q: want, for example, 10.0.0.0/8 or 10.0.0.5", text)
	}
	if a, mapped := network.Addr(), 128-32; a.Is4In6() && network.Bits() >= mapped {
		network = netip.PrefixFrom(a.Unmap(), network.Bits()-mapped)
	}
	if network != network.Masked() {
		return netip.Prefix{}, fmt.Errorf("%s is an address inside a network; write %s for the network, or %s for the address", text, network.Masked(), network.Addr())
	}
	return network, nil
}

// checkClearText says where XDR arrives in clear text and from anywhere.
func checkClearText(s *section, c Service) {
	if len(c.Listen) == 0 || !s.Valid("address", "allow") {
		return
	}
	hosts := s.Texts("address")
	if len(hosts) == 0 {
		hosts = []string{everyAddress}
	}
	for i, host := range hosts {
		switch ip, err := netip.ParseAddr(host); {
		case err != nil || isPrivate(ip.Unmap()):
		case !ip.Unmap().IsUnspecified():
			s.Warn(fmt.Sprintf("address[%d]", i), "%s is not a private address, and XDR arrives there in clear text, which others can read and forge; use service.tls with a ca-file, or a private address", host)
		case c.Allow == nil:
			s.Note("address", "%s is every address of this machine, and XDR arrives there in clear text, so whoever reaches the port can send changes; list the networks of the database under allow, or use service.tls with a ca-file", host)
		}
	}
}

// sharedSpace is the address space that providers share among their customers (RFC 6598).
// Like private networks it is not routed on the Internet.
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

func isPrivate(ip netip.Addr) bool {
	return ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() || sharedSpace.Contains(ip)
}
