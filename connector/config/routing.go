package config

import (
	"maps"
	"slices"

	"github.com/aerosink/aerosink/connector/config/strict"
	"github.com/aerosink/aerosink/connector/deliver"
	"github.com/aerosink/aerosink/connector/route"
)

// readRouting reads where changes go, to destinations that are in the configuration.
func readRouting(s *section, known map[string]deliver.Config) *route.Rule {
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
		s.Error("mode", "is a mode of Aerospike's connectors for message queues; set the routing of namespaces and sets under namespaces")
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
			s.Error("mode", "missing; write static, static-multi-destination or skip")
		}
		return rule
	}
	checkRule(s, mode, rule.Destinations, known)
	return rule
}

// checkRule reports unknown, missing and duplicate destinations, and keys that belong to
// another mode.
func checkRule(s *section, mode string, names []string, known map[string]deliver.Config) {
	key := map[string]string{"static": "destination", "static-multi-destination": "destinations"}[mode]
	for i, name := range names {
		if _, ok := known[name]; !ok {
			s.Error(key, "no destination is called %q%s", name, strict.HintName(name, slices.Sorted(maps.Keys(known))))
		}
		if slices.Contains(names[:i], name) {
			s.Error(key, "destination %q twice", name)
		}
	}
	if key != "" && len(names) == 0 {
		s.Error(key, "names no destination; to drop changes on purpose write mode: skip")
	}
	if mode == "static" && len(names) > 1 {
		s.Error(key, "names %d destinations; write mode: static-multi-destination", len(names))
	}
	for _, other := range []string{"destination", "destinations"} {
		if other != key && s.Has(other) {
			s.Error(other, "has no effect in mode %s", mode)
		}
	}
}
