package config

import (
	"slices"
	"strings"

	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/route"
)

// level is a level as it stands in the file: the root, a port, a namespace or a set.
type level struct {
	at    *section
	own   parts
	names []string          // of the levels below, in the order of the file
	below map[string]*level // namespaces of the root or a port, sets of a namespace; by name
}

// parts are the sections that a level may set. A level that does not set a section
// inherits the whole section from the level above.
type parts struct {
	rule      *route.Rule
	transform *route.Transform // nil if bins are unchanged
	ordering  *route.Ordering  // nil if it is disabled
	format    format.Format
	batching  *ownBatching
	set       partSet
}

// partSet is a set of sections, with a bit for each of partKeys.
type partSet uint8

// partKeys are the keys of the sections of parts.
var partKeys = []string{"routing", "format", "batching", "bin-transforms", "record-ordering"}

const (
	partRouting partSet = 1 << iota
	partFormat
	partBatching
	partTransforms
	partOrdering
)

// over returns p with the sections of other that p does not set.
func (p parts) over(other parts) parts {
	inherited := other.set &^ p.set
	if inherited&partRouting != 0 {
		p.rule = other.rule
	}
	if inherited&partFormat != 0 {
		p.format = other.format
	}
	if inherited&partBatching != 0 {
		p.batching = other.batching
	}
	if inherited&partTransforms != 0 {
		p.transform = other.transform
	}
	if inherited&partOrdering != 0 {
		p.ordering = other.ordering
	}
	p.set |= inherited
	return p
}

// destinations returns the names of the destinations of p, none if p skips changes.
func (p parts) destinations() []string {
	if p.rule == nil {
		return nil
	}
	return p.rule.Destinations
}

// missing returns the destinations of p that other does not have.
func (p parts) missing(other parts) []string {
	return slices.DeleteFunc(slices.Clone(p.destinations()), func(name string) bool { return slices.Contains(other.destinations(), name) })
}

// splits reports whether versions of a record may overtake each other if some are processed
// as p says and some as other says.
func (p parts) splits(other parts) bool {
	if len(p.destinations()) == 0 {
		return false
	}
	return len(p.missing(other))+len(other.missing(p)) > 0 || p.format != other.format || p.batching != other.batching
}

// Limits of the server on names, in bytes (as/include/base/datamodel.h:
// AS_ID_NAMESPACE_SZ, AS_SET_NAME_MAX_SIZE and AS_BIN_NAME_MAX_SZ, without the
// terminating NUL).
const (
	maxNamespace = 31
	maxSet       = 63
	maxBin       = 15
)

// top reads the root or a port, with its namespaces. The caller must call End.
func (r *levelReader) top(s *section) *level {
	l := r.level(s)
	namespaces := s.Dictionary("namespaces")
	for _, name := range namespaces.Keys {
		checkName(namespaces, name, maxNamespace, "namespace")
		l.add(name, r.namespace(namespaces, name))
	}
	return l
}

func (r *levelReader) namespace(namespaces *section, name string) *level {
	before := namespaces.Doc.ErrorCount()
	s := namespaces.Sub(name)
	l := r.level(s)
	sets := s.Dictionary("sets")
	for _, name := range sets.Keys {
		checkName(sets, name, maxSet, "set")
		l.add(name, r.set(sets, name))
	}
	s.End()
	l.checkEmpty(namespaces, name, before)
	return l
}

func (r *levelReader) set(sets *section, name string) *level {
	before := sets.Doc.ErrorCount()
	s := sets.Sub(name)
	l := r.level(s)
	s.End()
	l.checkEmpty(sets, name, before)
	return l
}

// level reads the sections of a level.
func (r *levelReader) level(s *section) *level {
	l := &level{at: s, below: map[string]*level{}}
	for i, key := range partKeys {
		if s.Has(key) {
			l.own.set |= 1 << i
		}
	}
	if l.sets(partRouting) {
		l.own.rule = readRouting(s.Sub("routing"), r.config.Destinations)
	}
	if l.sets(partFormat) {
		l.own.format = readFormat(s.Shorthand("format", "mode"))
	}
	if l.sets(partBatching) {
		l.own.batching = readBatching(s.Sub("batching"))
	}
	if l.sets(partTransforms) {
		l.own.transform = transforms(s.Sub("bin-transforms"))
	}
	if l.sets(partOrdering) {
		l.own.ordering = ordering(s.Sub("record-ordering"))
	}
	s.Refused("custom-transformer", "Java classes cannot be loaded; choose and rename bins with bin-transforms, or transform what arrives at the destination")
	return l
}

func (l *level) add(name string, below *level) {
	l.names = append(l.names, name)
	l.below[name] = below
}

// sets reports whether l itself sets a section.
func (l *level) sets(part partSet) bool { return l != nil && l.own.set&part != 0 }

// checkEmpty warns about a level without settings, unless they were refused: then there are
// more than before errors.
func (l *level) checkEmpty(parent *section, name string, before int) {
	if l.own.set == 0 && len(l.names) == 0 && parent.Doc.ErrorCount() == before {
		parent.Warn(name, "has no settings of its own; remove it")
	}
}

// checkSets warns about the sets of l's namespaces that are treated otherwise than their
// namespace, and about namespaces without a routing. merged has what counts.
func (l *level) checkSets(merged route.Levels[parts]) {
	for _, name := range l.names {
		ns, counts := l.below[name], merged.Namespaces[name]
		for _, set := range ns.names {
			ns.below[set].checkSet(counts.Sets[set], counts.Value)
		}
		switch {
		case counts.Value.rule != nil || ns.at.Doc.HasErrors(ns.at.Path):
		case len(counts.Sets) > 0:
			ns.at.warnSkipped("of its other sets, and those without a set,")
		default:
			ns.at.warnSkipped("of this namespace")
		}
	}
}

// checkSet warns where deletes, which may come without their set, are treated otherwise than
// the writes of the set. The two are what counts for the set and for its namespace.
func (l *level) checkSet(set, namespace parts) {
	if l.at.found.levelErrors {
		return
	}
	missing := set.missing(namespace)
	switch {
	case set.ordering != nil && set.splits(namespace):
		l.at.warn("differs from its namespace in routing, format or batching; a delete without a set is treated as the namespace says, and record-ordering does not hold between the two")
	case len(missing) > 0:
		l.at.warn("routed apart from its namespace: a delete may come without its set, and then does not reach %s; route the namespace there too", strings.Join(missing, ", "))
	}
}

// checkRootRouting reports that the root has no routing. rest are the ports for which the
// root decides, if some have their own configuration.
func (l *level) checkRootRouting(ports []portLevel, rest []string) {
	where := ""
	if len(ports) > 0 {
		where = " received on port " + strings.Join(rest, ", ")
	}
	switch {
	case l.own.rule != nil:
	case len(l.names) > 0:
		l.at.warnSkipped("of other namespaces" + where)
	case len(ports) > 0:
		l.at.warnSkipped(strings.TrimSpace(where))
	default:
		l.at.Error("routing", "missing; write where changes go, for example {mode: static, destination: NAME}")
	}
}

// setter returns the level of a namespace that sets a section for one of its sets, or for
// no set if that is "". It is nil if none does.
func (l *level) setter(part partSet, set string) *level {
	if l != nil && l.below[set].sets(part) {
		return l.below[set]
	}
	if l.sets(part) {
		return l
	}
	return nil
}

// checkOverlaps warns where the levels of a port and those of the root set the same section,
// since it is easily mistaken which of them counts.
func (l *level) checkOverlaps(root *level) {
	for i, key := range partKeys {
		part := partSet(1 << i)
		var stronger []string // paths of levels that count before the port itself
		for _, name := range root.names {
			for _, set := range append([]string{""}, root.below[name].names...) {
				other := root.below[name]
				if set != "" {
					other = other.below[set]
				}
				own := l.below[name].setter(part, set)
				switch {
				case !other.sets(part):
				case own != nil:
					own.at.Warn(key, "%s sets it too; on this port, what is said here counts", other.at.Path)
				case l.sets(part):
					stronger = append(stronger, other.at.Path)
				}
			}
		}
		if len(stronger) > 0 {
			l.at.Warn(key, "also set by %s, which counts on this port as well, since a namespace is more specific than a port; to change that, set it under namespaces of the port", strings.Join(stronger, ", "))
		}
	}
}

func checkName(s *section, name string, most int, kind string) {
	if len(name) == 0 || len(name) > most {
		s.Error(name, "invalid %s name: want 1 to %d bytes, got %d", kind, most, len(name))
	}
}
