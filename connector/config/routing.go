package config

import (
	"maps"
	"slices"

	"github.com/aerosink/aerosink/connector/route"
)

func (r *levelReader) rule(s *section) *route.Rule {
	defer s.end()
	rule := &route.Rule{}
	one, several := s.texts("destination"), s.texts("destinations")
	switch {
	case s.among("mode", "custom"):
		s.fault("mode", "Java classes cannot be loaded; route by namespace and set under namespaces")
		s.get("class")
		s.get("params")
		return rule
	case s.among("mode", "namespace", "set", "bin", "path"):
		s.fault("mode", "belongs to Aerospike's connectors of message queues; route under namespaces, each with its own routing and that of its sets")
		return rule
	}
	mode := s.word("mode", "", "static", "static-multi-destination", "skip")
	switch mode {
	case "static":
		rule.Destinations = one
	case "static-multi-destination":
		rule.Destinations = several
	case "":
		if !s.has("mode") {
			s.fault("mode", "missing; say static, static-multi-destination or skip")
		}
		return rule
	}
	r.checkRule(s, mode, rule.Destinations)
	return rule
}

// checkRule reports destinations that are not there, none, one twice, and keys
// that belong to another mode.
func (r *levelReader) checkRule(s *section, mode string, names []string) {
	key := map[string]string{"static": "destination", "static-multi-destination": "destinations"}[mode]
	known := slices.Sorted(maps.Keys(r.config.Destinations))
	for i, name := range names {
		if _, ok := r.config.Destinations[name]; !ok {
			s.fault(key, "no destination is called %q%s", name, hintName(name, known))
		}
		if slices.Contains(names[:i], name) {
			s.fault(key, "destination %q twice", name)
		}
	}
	if key != "" && len(names) == 0 {
		s.fault(key, "names no destination; to drop changes on purpose say mode: skip")
	}
	if mode == "static" && len(names) > 1 {
		s.fault(key, "names %d destinations; say mode: static-multi-destination", len(names))
	}
	for _, other := range []string{"destination", "destinations"} {
		if other != key && s.has(other) {
			s.fault(other, "means nothing in mode %s", mode)
		}
	}
}
