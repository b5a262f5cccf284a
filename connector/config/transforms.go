package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aerosink/aerosink/connector/config/strict"

	"go.yaml.in/yaml/v4"

	"github.com/aerosink/aerosink/connector/route"
)

// transforms reads which bins are delivered, and their names.
func transforms(s *section) *route.Transform {
	defer s.End()
	t := route.Transforms{
		Include: selection(s, "include", "all"),
		Exclude: selection(s, "exclude", "none"),
		Renames: renames(s.Dictionary("map")),
		Steps:   steps(s),
	}
	for _, name := range t.Exclude.Names {
		if slices.Contains(t.Include.Names, name) {
			s.Warn("include", "bin %s is excluded too; exclude wins", name)
		}
	}
	if t.Exclude.All || !t.Include.All && len(t.Include.Names) == 0 {
		s.Warn("include", "no bins are delivered, only metadata")
	}
	return route.NewTransform(t)
}

// selection reads {type: specified, bins: [a, b]}, all or none.
func selection(s *section, key, absent string) route.Selection {
	c := s.Shorthand(key, "type")
	defer c.End()
	if c.Has("bins") {
		absent = "specified"
	}
	kind := c.Word("type", absent, "all", "none", "specified")
	names := c.Texts("bins")
	for _, name := range names {
		checkBin(c, "bins", name)
	}
	switch {
	case kind == "specified" && len(names) == 0:
		c.Error("bins", "missing; list the bins, or write type: all or none")
	case kind != "specified" && len(names) > 0:
		c.Warn("bins", "has no effect with type: %s; write type: specified", kind)
	}
	return route.Selection{All: kind == "all", Names: names}
}

func checkBin(s *section, key, name string) {
	if len(name) == 0 || len(name) > maxBin {
		s.Error(key, "invalid bin name %q: want 1 to %d bytes, got %d", name, maxBin, len(name))
	}
}

func renames(s *section) map[string]string {
	m := map[string]string{}
	owner := map[string]string{}
	for _, name := range s.Keys {
		checkBin(s, name, name)
		renamed := s.Text(name, "")
		if renamed == "" {
			s.Error(name, "no name; to leave the bin out put it under exclude")
		}
		if other, ok := owner[renamed]; ok {
			s.Warn(name, "becomes %s, and so does %s; a change that has both cannot be delivered", renamed, other)
		}
		m[name], owner[renamed] = renamed, name
	}
	return m
}

// steps reads a list whose elements are uppercase, lowercase, trim, or {regex: {pattern: P,
// replacement: R}}.
func steps(s *section) []route.Step {
	plain := map[string]route.Step{"uppercase": strings.ToUpper, "lowercase": strings.ToLower, "trim": strings.TrimSpace}
	var list []route.Step
	for i, n := range s.List("transforms") {
		path := fmt.Sprintf("%s[%d]", strict.Join(s.Path, "transforms"), i)
		if n.Kind != yaml.ScalarNode {
			list = append(list, regexStep(&section{s.Doc.Mapping(path, s.PatternOf("transforms"), n), s.found}))
			continue
		}
		step, ok := plain[strings.ToLower(n.Value)]
		if !ok {
			known := []string{"uppercase", "lowercase", "trim", "regex"}
			s.Doc.Error(path, n, "invalid value %q: want one of uppercase, lowercase, trim, {regex: {pattern: P, replacement: R}}%s", n.Value, strict.Hint(n.Value, known))
			continue
		}
		list = append(list, step)
	}
	return list
}

func regexStep(s *section) route.Step {
	defer s.End()
	r := s.Sub("regex")
	defer r.End()
	if !r.Has("pattern") || !r.Has("replacement") {
		s.Error("regex", "needs a pattern and a replacement, for example {pattern: ^x_, replacement: \"\"}")
	}
	step, err := route.Regex(r.Verbatim("pattern", ""), r.Verbatim("replacement", ""))
	if err != nil {
		r.Doc.Error(r.Path, r.Position(), "%v", err)
	}
	return step
}
