package config

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/aerosink/aerosink/connector/config/strict"
)

// portLevel is the level of what is received on a port.
type portLevel struct {
	number int
	*level
}

// ports reads port-based-config.
func (r *levelReader) ports(s *section) []portLevel {
	var list []portLevel
	listening := r.config.Service.ports()
	for _, name := range s.Keys {
		p := portLevel{level: r.port(s, name)}
		number, ok := strict.ParseInteger(name)
		p.number = int(number)
		switch {
		case !ok || number < 1 || number > math.MaxUint16:
			s.Error(name, "not a port: want a number from 1 to %d", math.MaxUint16)
		case slices.ContainsFunc(list, func(other portLevel) bool { return other.number == p.number }):
			s.Error(name, "port %d twice; remove one", p.number)
		case !slices.Contains(listening, p.number) && !s.Doc.HasErrors("service"):
			s.Error(name, "no port for XDR; add it to service.port, which has %s", strings.Join(numbers(listening), ", "))
		default:
			list = append(list, p)
		}
	}
	return list
}

func (r *levelReader) port(ports *section, name string) *level {
	before := ports.Doc.ErrorCount()
	s := ports.Sub(name)
	l := r.top(s)
	s.End()
	l.checkEmpty(ports, name, before)
	return l
}

// portsOfRoot returns the ports for XDR that have no configuration of their own.
func (r *levelReader) portsOfRoot(own []portLevel) []string {
	return numbers(slices.DeleteFunc(r.config.Service.ports(), func(number int) bool {
		return slices.ContainsFunc(own, func(p portLevel) bool { return p.number == number })
	}))
}

// checkRouting warns if nothing says where changes that are received on the port go.
func (p portLevel) checkRouting(root *level) {
	switch {
	case p.own.rule != nil || root.own.rule != nil || p.at.Doc.HasErrors(p.at.Path):
	case len(p.names)+len(root.names) > 0:
		p.at.warnSkipped("of other namespaces received on this port")
	default:
		p.at.warnSkipped("received on this port")
	}
}

func numbers(ports []int) []string {
	list := make([]string, len(ports))
	for i, p := range ports {
		list[i] = strconv.Itoa(p)
	}
	return list
}
