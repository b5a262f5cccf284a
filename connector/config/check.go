package config

import (
	"slices"
	"time"

	"github.com/aerosink/aerosink/connector/config/strict"
)

// Budget is how long a change may take from its arrival to its reply. It equals
// connector.Budget, which this package cannot import.
const Budget = 9 * time.Second

// patience is how long XDR waits for a reply.
const patience = 10 * time.Second

// checkUnused warns about destinations that nothing is sent to.
func checkUnused(top *section, c *Config) {
	if top.found.levelErrors {
		return // a routing that was refused may name them
	}
	used := []string{c.DeadLetters.Destination}
	for _, p := range c.used() {
		used = append(used, p.Rule.Destinations...)
	}
	s := top.Dictionary("destinations")
	for _, name := range s.Keys {
		if !slices.Contains(used, name) {
			s.Warn(name, "no routing names it; nothing is sent there")
		}
	}
}

// checkShared warns about URLs that two destinations have in common. The destination for
// dead letters may share one, since nothing is routed to it.
func checkShared(top *section, c *Config) {
	owner := map[string]string{}
	s := top.Dictionary("destinations")
	for _, name := range s.Keys {
		if name == c.DeadLetters.Destination || s.Doc.HasErrors(strict.Join(s.Path, name)+".urls") {
			continue
		}
		for i, u := range c.Destinations[name].URLs {
			if other, ok := owner[u.String()]; ok {
				s.Warn(name, "urls[%d] is also a URL of destination %s; changes that are routed to both are sent to it twice", i, other)
				continue
			}
			owner[u.String()] = name
		}
	}
}

// check identifies a check of a batching section, which is made once even if several levels
// inherit the section. The empty destination stands for the connector itself.
type check struct {
	batching    *section
	destination string
}
