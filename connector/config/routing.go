package config

import (
	"maps"
	"slices"

	"github.com/aerosink/aerosink/connector/config/strict"

	"github.com/aerosink/aerosink/connector/route"
)

func (r *levelReader) rule(s *section) *route.Rule {
	defer s.End()
	rule := &route.Rule{}
	one, several := s.Texts("destination"), s.Texts("destinations")
	switch {
	case s.IsOneOf("mode", "custom"):
		s.Error("mode", "Java classes cannot be loaded; route by namespace and set under namespaces")
		s.Node("class")
		s.Node("params")
		return rule
	case s.IsOneOf("mode", "namespace", "set", "bin", "path"):
		s.Error("mode", "belongs to Aerospike's connectors of message queues; route under namespaces, each with its own routing and that of its sets")
		return rule
	}
	mode := s.Word("mode", "", "static", "static-multi-destination", "skip")
	switch mode {
	case "static":
		rule.Destinations = one
	case "static-multi-destination":
		rule.Destinations = several
	case "":
		if !s.Has("mode") {
			s.Error("mode", "missing; say static, static-multi-destination or skip")
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
			s.Error(key, "no destination is called %q%s", name, strict.HintName(name, known))
		}
		if slices.Contains(names[:i], name) {
			s.Error(key, "destination %q twice", name)
		}
	}
	if key != "" && len(names) == 0 {
		s.Error(key, "names no destination; to drop changes on purpose say mode: skip")
	}
	if mode == "static" && len(names) > 1 {
		s.Error(key, "names %d destinations; say mode: static-multi-destination", len(names))
	}
	for _, other := range []string{"destination", "destinations"} {
		if other != key && s.Has(other) {
			s.Error(other, "means nothing in mode %s", mode)
		}
	}
}
