package config

import (
	"slices"
	"time"

	"github.com/aerosink/aerosink/connector/route"
)

// Budget is how long a change may take from its arrival to its reply, as the
// corridor, which config does not know, has it.
const Budget = 9 * time.Second

// patience is for how long XDR waits for a reply.
const patience = 10 * time.Second

// each returns what the levels hold, one after another.
func each(levels route.Levels[Pipeline]) []Pipeline {
	list := []Pipeline{levels.Root}
	for _, ns := range levels.Namespaces {
		list = append(list, ns.Value)
		for _, t := range ns.Sets {
			list = append(list, t)
		}
	}
	return list
}

// checkUnused warns of destinations that nothing is sent to.
func checkUnused(top *section, c *Config) {
	used := []string{c.DeadLetters.Destination}
	for _, t := range each(c.Pipelines) {
		used = append(used, t.Rule.Destinations...)
	}
	s := top.Dictionary("destinations")
	for _, name := range s.Keys {
		if !slices.Contains(used, name) {
			s.Warn(name, "no routing names it; nothing is sent there")
		}
	}
}

// checkShared warns of endpoints that two destinations have. That of the dead letters
// may be another's: nothing is routed to it.
func checkShared(top *section, c *Config) {
	owner := map[string]string{}
	s := top.Dictionary("destinations")
	for _, name := range s.Keys {
		if name == c.DeadLetters.Destination {
			continue
		}
		for i, u := range c.Destinations[name].URLs {
			if other, ok := owner[u.String()]; ok {
				s.Warn(name, "urls[%d] is also that of destination %s; what is routed to both comes twice", i, other)
				continue
			}
			owner[u.String()] = name
		}
	}
}

// check is one that is made once, wherever a section counts. The empty name is of
// the connector itself.
type check struct {
	batching    *section
	destination string
}
