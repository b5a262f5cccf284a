package connector

import (
	"maps"
	"net"
	"net/netip"
	"sync"
	"time"
)

// sources admits connections by the address that they come from, and remembers which were
// refused, so that each is logged only once in a while.
type sources struct {
	allow []netip.Prefix // nil admits all

	mu      sync.Mutex
	refused map[netip.Addr]*refusal
}

// refusal is the state of a source that is not admitted.
type refusal struct {
	until time.Time // when it is logged again
	count int       // connections since it was logged
}

// refusalInterval is the least time between two log lines about a source.
const refusalInterval = 10 * time.Minute

// maxRefused is how many sources are remembered. Those beyond count as one.
const maxRefused = 1000

// admits reports whether connections from an address are allowed.
func (s *sources) admits(a net.Addr) bool {
	if s.allow == nil {
		return true
	}
	source := sourceOf(a)
	for _, network := range s.allow {
		if network.Contains(source) {
			return true
		}
	}
	return false
}

// sourceOf returns the IP address of a, which is invalid if a has none. An address of IPv4
// is always in its own form, and an address of IPv6 has no zone.
func sourceOf(a net.Addr) netip.Addr {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return tcp.AddrPort().Addr().Unmap().WithZone("")
}

// refuse counts a connection of a source that is not admitted. It reports whether to log it,
// and how many were not logged before.
func (s *sources) refuse(source netip.Addr) (before int, log bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if _, known := s.refused[source]; !known && len(s.refused) >= maxRefused {
		maps.DeleteFunc(s.refused, func(_ netip.Addr, r *refusal) bool { return !now.Before(r.until) })
		if len(s.refused) >= maxRefused {
			source = netip.Addr{}
		}
	}
	r := s.refused[source]
	if r == nil {
		r = &refusal{}
		if s.refused == nil {
			s.refused = map[netip.Addr]*refusal{}
		}
		s.refused[source] = r
	}
	if now.Before(r.until) {
		r.count++
		return 0, false
	}
	before = r.count
	*r = refusal{until: now.Add(refusalInterval)}
	return before, true
}
