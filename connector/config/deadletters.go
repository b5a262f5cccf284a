package config

import (
	"maps"
	"slices"

	"github.com/aerosink/aerosink/connector/config/strict"
)

// deadLetters reads where changes go that can never be delivered.
func deadLetters(top *section, c *Config) DeadLetters {
	s := top.Sub("dead-letters")
	defer s.End()
	d := DeadLetters{Destination: s.Text("destination", ""), Directory: s.pathOf("directory", "folder")}
	s.CheckEmpty("destination", "name one")
	if top.Has("dead-letters") && s.Has("destination") == s.Has("directory") {
		top.Error("dead-letters", "names a destination or a directory, one of the two")
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
	for _, t := range each(c.Pipelines) {
		if slices.Contains(t.Rule.Destinations, d.Destination) {
			s.Error("destination", "a route goes to %s, and what it refuses would go there again; name another", d.Destination)
			break
		}
	}
	return d
}
