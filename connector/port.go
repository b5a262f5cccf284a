package connector

import (
	"iter"
	"net"
	"time"

	"github.com/aerosink/aerosink/connector/route"
)

// port is what the sessions of a port share: its pipelines, and what is remembered of the
// changes that took them. What one port has sent says nothing about another, whose changes
// may go elsewhere.
type port struct {
	pipelines route.Levels[Pipeline]
	ordering  *ordering
	delivered *delivered
}

// ports are the ports of a server. Those without pipelines of their own are one, since a
// database may ship a record to any of them.
type ports struct {
	own  map[int]*port // by number
	rest *port
}

func newPorts(c Config) *ports {
	ordered := 0
	count := func(levels route.Levels[Pipeline]) {
		if longestTTL(levels) > 0 {
			ordered++
		}
	}
	count(c.Pipelines)
	for _, levels := range c.Ports {
		count(levels)
	}
	bytes, changes := c.OrderingBytes/max(ordered, 1), maxDelivered/(1+len(c.Ports))
	newPort := func(levels route.Levels[Pipeline]) *port {
		return &port{levels, newOrdering(longestTTL(levels), bytes), newDelivered(changes)}
	}
	p := &ports{own: map[int]*port{}, rest: newPort(c.Pipelines)}
	for number, levels := range c.Ports {
		p.own[number] = newPort(levels)
	}
	return p
}

// of returns the port that listens on an address.
func (p *ports) of(a net.Addr) *port {
	if tcp, ok := a.(*net.TCPAddr); ok && p.own[tcp.Port] != nil {
		return p.own[tcp.Port]
	}
	return p.rest
}

// all returns the ports.
func (p *ports) all() iter.Seq[*port] {
	return func(yield func(*port) bool) {
		if !yield(p.rest) {
			return
		}
		for _, own := range p.own {
			if !yield(own) {
				return
			}
		}
	}
}

// orderedRecords returns how many records are remembered for record ordering.
func (p *ports) orderedRecords() int {
	n := 0
	for port := range p.all() {
		n += port.ordering.records()
	}
	return n
}

// longestTTL returns the longest TTL of record ordering in levels, or 0 if there is none.
func longestTTL(levels route.Levels[Pipeline]) time.Duration {
	var ttl time.Duration
	route.Map(levels, func(p Pipeline) struct{} {
		if p.Ordering != nil {
			ttl = max(ttl, p.Ordering.TTL)
		}
		return struct{}{}
	})
	return ttl
}
