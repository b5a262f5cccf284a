package config

import (
	"maps"
	"math"
	"slices"

	"github.com/aerosink/aerosink/connector/config/strict"
	"github.com/aerosink/aerosink/connector/deliver"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/raw"
	"github.com/aerosink/aerosink/connector/route"
)

// parts are the sections that each level may set. A level that does not set a section
// inherits the whole section from the level above.
type parts struct {
	rule      *route.Rule
	transform *route.Transform
	ordering  *route.Ordering
	format    format.Format
	batching  *ownBatching
}

// levelReader reads the root, the namespaces and the sets.
type levelReader struct {
	config  *Config // its Service and Destinations are set
	streams map[streamKey]*deliver.Stream
	checked map[check]bool
}

// streamKey identifies a stream. Changes of levels with equal keys share requests.
type streamKey struct {
	format   format.Format
	batching batching
}

// Limits of the server on names, in bytes (as/include/base/datamodel.h:
// AS_ID_NAMESPACE_SZ, AS_SET_NAME_MAX_SIZE and AS_BIN_NAME_MAX_SZ, without the
// terminating NUL).
const (
	maxNamespace = 31
	maxSet       = 63
	maxBin       = 15
)

func readPipelines(top *section, c *Config) route.Levels[Pipeline] {
	r := &levelReader{config: c, streams: map[streamKey]*deliver.Stream{}, checked: map[check]bool{}}
	root := r.read(top, parts{})
	levels := route.Levels[Pipeline]{Root: r.pipeline(root), Namespaces: map[string]route.Namespace[Pipeline]{}}
	namespaces := top.Dictionary("namespaces")
	switch {
	case root.rule == nil && len(namespaces.Keys) == 0:
		top.Error("routing", "missing; write where changes go, for example {mode: static, destination: NAME}")
	case root.rule == nil:
		top.warnSkipped("of other namespaces")
	}
	for _, name := range namespaces.Keys {
		checkName(namespaces, name, maxNamespace, "namespace")
		levels.Namespaces[name] = r.namespace(namespaces.Sub(name), root)
	}
	return levels
}

func (r *levelReader) namespace(s *section, root parts) route.Namespace[Pipeline] {
	defer s.End()
	own := r.read(s, root)
	ns := route.Namespace[Pipeline]{Value: r.pipeline(own), Sets: map[string]Pipeline{}}
	sets := s.Dictionary("sets")
	for _, name := range sets.Keys {
		checkName(sets, name, maxSet, "set")
		set := sets.Sub(name)
		p := r.read(set, own)
		ns.Sets[name] = r.pipeline(p)
		if p.ordering != nil && p.splits(own) {
			sets.Warn(name, "differs from its namespace in routing, format or batching; a delete without a set is treated as the namespace says, and record-ordering does not hold between the two")
		}
		if p == own {
			sets.Warn(name, "has no settings of its own; remove it")
		}
		set.End()
	}
	switch {
	case own.rule == nil && len(sets.Keys) > 0:
		s.warnSkipped("of its other sets, and those without a set,")
	case own.rule == nil:
		s.warnSkipped("of this namespace")
	}
	if own == root && len(sets.Keys) == 0 {
		s.Doc.Warn(s.Path, s.Position(), "has no settings of its own; remove it")
	}
	return ns
}

// splits reports whether versions of a record may overtake each other if some are processed
// as p says and some as other says.
func (p parts) splits(other parts) bool {
	if p.rule == nil || len(p.rule.Destinations) == 0 {
		return false
	}
	return p.rule != other.rule || p.format != other.format || p.batching != other.batching
}

func checkName(s *section, name string, most int, kind string) {
	if len(name) == 0 || len(name) > most {
		s.Error(name, "invalid %s name: want 1 to %d bytes, got %d", kind, most, len(name))
	}
}

// read returns the parts that s sets, and the others from above.
func (r *levelReader) read(s *section, above parts) parts {
	p := above
	if s.Has("routing") {
		p.rule = r.rule(s.Sub("routing"))
	}
	if s.Has("format") {
		p.format = readFormat(s.Shorthand("format", "mode"))
	}
	if s.Has("batching") {
		p.batching = readBatching(s.Sub("batching"))
	}
	if s.Has("bin-transforms") {
		p.transform = transforms(s.Sub("bin-transforms"))
	}
	if s.Has("record-ordering") {
		p.ordering = ordering(s.Sub("record-ordering"))
	}
	s.Refused("custom-transformer", "Java classes cannot be loaded; choose and rename bins with bin-transforms, or transform what arrives at the destination")
	r.checkBatch(p)
	return p
}

// pipeline returns the pipeline that a level's parts describe.
func (r *levelReader) pipeline(p parts) Pipeline {
	if p.rule == nil || len(p.rule.Destinations) == 0 {
		return Pipeline{}
	}
	if p.format == nil {
		p.format = raw.Format{}
	}
	b := batching{records: 1, bytes: math.MaxInt}
	if p.batching != nil {
		b = p.batching.batching
	}
	key := streamKey{p.format, b}
	if r.streams[key] == nil {
		r.streams[key] = &deliver.Stream{Envelope: p.format, MaxRecords: b.records, MaxBytes: b.bytes, Interval: b.interval}
	}
	return Pipeline{Rule: *p.rule, Transform: p.transform, Ordering: p.ordering, Format: p.format, Stream: r.streams[key]}
}

// checkBatch checks a level's batching against the destinations of its batches.
func (r *levelReader) checkBatch(p parts) {
	if p.batching == nil || p.batching.at == nil || p.rule == nil {
		return
	}
	s, b := p.batching.at, p.batching.batching
	for _, name := range p.rule.Destinations {
		d, ok := r.config.Destinations[name]
		if !ok || r.checked[check{s, name}] {
			continue
		}
		r.checked[check{s, name}] = true
		if b.interval > 0 && b.interval+d.CallTimeout > Budget {
			s.Warn("batch-interval", "%s, and then destination %s may take %s (call-timeout), but the connector gives up %s after a change came, and XDR after %s; lower one of them",
				b.interval, name, d.CallTimeout, Budget, patience)
		}
		queue := d.Queue * len(d.URLs)
		wait := ""
		if b.interval > 0 {
			wait = ", so that a request waits for the whole batch-interval or max-bytes"
		}
		if b.records > queue {
			s.Warn("max-records", "%d, but destination %s queues only %d changes%s; lower it, or raise max-request-queued-per-endpoint", b.records, name, queue, wait)
		}
	}
	r.checkBounds(s, b)
}

// checkBounds warns about batches that exceed the limits of the connector as a whole.
func (r *levelReader) checkBounds(s *section, b batching) {
	if r.checked[check{s, ""}] {
		return
	}
	r.checked[check{s, ""}] = true
	if most := r.config.Service.MaxRecords; b.records > most {
		s.Warn("max-records", "%d, but only %d changes are in flight at once; lower it, or raise service.max-concurrent-records", b.records, most)
	}
	if most := r.config.Service.MaxBytes; b.bytes > most {
		s.Warn("max-bytes", "%d, but only %d bytes are in flight at once; lower it, or raise service.max-concurrent-bytes", b.bytes, most)
	}
	if b.records == 1 && b.interval > 0 {
		s.Warn("batch-interval", "has no effect with max-records: 1; a full request does not wait")
	}
}

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
	r.checkRule(s, mode, rule.Destinations)
	return rule
}

// checkRule reports unknown, missing and duplicate destinations, and keys that belong to
// another mode.
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
