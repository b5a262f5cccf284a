package config

import (
	"maps"
	"slices"

	"github.com/aerosink/aerosink/connector/config/strict"
)

// deadLetters reads where to store changes that can never be delivered.
func deadLetters(top *section, c *Config) DeadLetters {
	s := top.Sub("dead-letters")
	defer s.End()
	d := DeadLetters{Destination: s.Text("destination", ""), Directory: s.pathOf("directory", "folder")}
	s.CheckEmpty("destination", "name one")
	if !top.Has("dead-letters") && slices.ContainsFunc(c.used(), func(p Pipeline) bool { return len(p.Rule.Destinations) > 0 }) {
		top.Note("dead-letters", "not set, so a change that can never be delivered is shipped again and again; name a directory or a destination for them")
	}
	if top.Has("dead-letters") && s.Has("destination") == s.Has("directory") {
		top.Error("dead-letters", "needs either a destination or a directory")
	}
	if d.Directory != "" {
		s.checkFolder("directory", d.Directory)
	}
	if d.Destination == "" {
		return d
	}
	if _, ok := c.Destinations[d.Destination]; !ok {
		s.Error("destination", "no destination is called %q%s", d.Destination, strict.HintName(d.Destination, slices.Sorted(maps.Keys(c.Destinations))))
	}
	for _, p := range c.used() {
		if slices.Contains(p.Rule.Destinations, d.Destination) {
			s.Error("destination", "changes are routed to %s, and those that it refuses would be sent to it again; name another", d.Destination)
			break
		}
	}
	return d
}
