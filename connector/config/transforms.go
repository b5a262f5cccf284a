package config

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/aerosink/aerosink/connector/route"
)

// transforms reads which bins go on, and under what names.
func transforms(s *section) *route.Transform {
	defer s.end()
	t := route.Transforms{
		Include: selection(s, "include", "all"),
		Exclude: selection(s, "exclude", "none"),
		Renames: renames(s.dictionary("map")),
		Steps:   steps(s),
	}
	for _, name := range t.Exclude.Names {
		if slices.Contains(t.Include.Names, name) {
			s.warn("include", "bin %s is excluded too; exclude wins", name)
		}
	}
	if t.Exclude.All || !t.Include.All && len(t.Include.Names) == 0 {
		s.warn("include", "no bin goes on, only metadata")
	}
	return route.NewTransform(t)
}

// selection reads {type: specified, bins: [a, b]}, or all, or none.
func selection(s *section, key, absent string) route.Selection {
	c := s.shorthand(key, "type")
	defer c.end()
	if c.has("bins") {
		absent = "specified"
	}
	kind := c.word("type", absent, "all", "none", "specified")
	names := c.texts("bins")
	for _, name := range names {
		checkBin(c, "bins", name)
	}
	switch {
	case kind == "specified" && len(names) == 0:
		c.fault("bins", "missing; list the bins, or say type: all or none")
	case kind != "specified" && len(names) > 0:
		c.warn("bins", "means nothing with type: %s; say type: specified", kind)
	}
	return route.Selection{All: kind == "all", Names: names}
}

func checkBin(s *section, key, name string) {
	if len(name) == 0 || len(name) > maxBin {
		s.fault(key, "no bin is called %q: a name has 1 to %d bytes, this one %d", name, maxBin, len(name))
	}
}

func renames(s *section) map[string]string {
	m := map[string]string{}
	owner := map[string]string{}
	for _, name := range s.order {
		checkBin(s, name, name)
		renamed := s.text(name, "")
		if renamed == "" {
			s.fault(name, "no name; to leave the bin out put it under exclude")
		}
		if other, ok := owner[renamed]; ok {
			s.warn(name, "becomes %s, and so does %s; a change that has both cannot be delivered", renamed, other)
		}
		m[name], owner[renamed] = renamed, name
	}
	return m
}

// steps reads a list of uppercase, lowercase, trim, and {regex: {pattern: P,
// replacement: R}}.
func steps(s *section) []route.Step {
	plain := map[string]route.Step{"uppercase": strings.ToUpper, "lowercase": strings.ToLower, "trim": strings.TrimSpace}
	var list []route.Step
	for i, n := range s.list("transforms") {
		path := fmt.Sprintf("%s[%d]", join(s.path, "transforms"), i)
		if n.Kind != yaml.ScalarNode {
			list = append(list, regexStep(s.doc.mapping(path, s.patternOf("transforms"), n)))
			continue
		}
		step, ok := plain[strings.ToLower(n.Value)]
		if !ok {
			known := []string{"uppercase", "lowercase", "trim", "regex"}
			s.doc.fault(path, n, "%q is none of uppercase, lowercase, trim, {regex: {pattern: P, replacement: R}}%s", n.Value, hint(n.Value, known))
			continue
		}
		list = append(list, step)
	}
	return list
}

func regexStep(s *section) route.Step {
	defer s.end()
	r := s.sub("regex")
	defer r.end()
	if !r.has("pattern") || !r.has("replacement") {
		s.fault("regex", "needs a pattern and a replacement, for example {pattern: ^x_, replacement: \"\"}")
	}
	step, err := route.Regex(r.text("pattern", ""), r.text("replacement", ""))
	if err != nil {
		r.doc.fault(r.path, r.node(), "%v", err)
	}
	return step
}
