package config

import (
	"maps"
	"slices"
)

// deadLetters reads where changes go that can never be delivered.
func deadLetters(top *section, c *Config) DeadLetters {
	s := top.sub("dead-letters")
	defer s.end()
	d := DeadLetters{Destination: s.text("destination", ""), Directory: s.pathOf("directory", "folder")}
	s.hollow("destination", "name one")
	if top.has("dead-letters") && s.has("destination") == s.has("directory") {
		top.fault("dead-letters", "names a destination or a directory, one of the two")
	}
	if d.Directory != "" {
		s.checkFolder("directory", d.Directory)
	}
	if d.Destination == "" {
		return d
	}
	if _, ok := c.Destinations[d.Destination]; !ok {
		s.fault("destination", "no destination is called %q%s", d.Destination, hintName(d.Destination, slices.Sorted(maps.Keys(c.Destinations))))
	}
	for _, t := range each(c.Treatments) {
		if slices.Contains(t.Rule.Destinations, d.Destination) {
			s.fault("destination", "a route goes to %s, and what it refuses would go there again; name another", d.Destination)
			break
		}
	}
	return d
}
