package config

import (
	"math"

	"github.com/aerosink/aerosink/connector/deliver"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/raw"
	"github.com/aerosink/aerosink/connector/route"
)

// parts are the sections that each level may have of its own. A level takes those
// it does not have whole from the level above.
type parts struct {
	rule      *route.Rule
	transform *route.Transform
	ordering  *route.Ordering
	format    format.Format
	batching  *ownBatching
}

// levelReader reads the levels one after another.
type levelReader struct {
	config  *Config // whose Service and Destinations are read
	streams map[streamKey]*deliver.Stream
	checked map[check]bool
}

// streamKey is what makes changes of different levels travel together.
type streamKey struct {
	format   format.Format
	batching batching
}

// The longest names that the server has (as/include/base/datamodel.h,
// AS_ID_NAMESPACE_SZ, AS_SET_NAME_MAX_SIZE and AS_BIN_NAME_MAX_SZ, less the byte
// that ends them).
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
		top.Error("routing", "missing; say where changes go, for example {mode: static, destination: NAME}")
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
			sets.Warn(name, "goes another way than its namespace; a delete that comes without its set goes that of the namespace, and record-ordering does not hold between the two")
		}
		if p == own {
			sets.Warn(name, "says nothing of its own; remove it")
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
		s.Doc.Warn(s.Path, s.Position(), "says nothing of its own; remove it")
	}
	return ns
}

// warnSkipped warns that changes go nowhere because no routing is said for them.
func (s *section) warnSkipped(changes string) {
	s.Warn("routing", "missing; changes %s are skipped; say routing: {mode: skip} if that is meant", changes)
}

// splits reports whether versions of one record, some treated as p and some as
// other, may overtake each other.
func (p parts) splits(other parts) bool {
	if p.rule == nil || len(p.rule.Destinations) == 0 {
		return false
	}
	return p.rule != other.rule || p.format != other.format || p.batching != other.batching
}

func checkName(s *section, name string, most int, kind string) {
	if len(name) == 0 || len(name) > most {
		s.Error(name, "no %s is called so: a name has 1 to %d bytes, this one %d", kind, most, len(name))
	}
}

// read returns what s says, and of the rest what the level above has.
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

// pipeline makes the level's parts into what a change is treated with.
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
