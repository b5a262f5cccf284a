package config

import (
	"maps"
	"math"
	"slices"

	"github.com/aerosink/aerosink/connector/deliver"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/raw"
	"github.com/aerosink/aerosink/connector/route"
)

// levelReader reads the levels: the root, the ports that have their own configuration, and
// the namespaces and sets of both.
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

// readPipelines reads the pipelines of all levels. The caller must have asked top for all
// keys that readPipelines does not know.
func readPipelines(top *section, c *Config) {
	r := &levelReader{config: c, streams: map[streamKey]*deliver.Stream{}, checked: map[check]bool{}}
	before := top.Doc.ErrorCount()
	root := r.top(top)
	ports := r.ports(top.Dictionary("port-based-config"))
	top.End()
	top.found.levelErrors = top.Doc.ErrorCount() > before

	c.Pipelines, c.Ports = r.pipelines(root), map[int]route.Levels[Pipeline]{}
	for _, p := range ports {
		c.Ports[p.number] = r.pipelines(p.level, root)
		p.checkOverlaps(root)
		p.checkRouting(root)
	}
	if rest := r.portsOfRoot(ports); len(ports) == 0 || len(rest) > 0 {
		c.rootUsed = true
		root.checkRootRouting(ports, rest)
	}
}

// pipelines returns the pipelines of the first level and of the namespaces and sets of all
// levels. What a level does not set is that of the next level.
func (r *levelReader) pipelines(of ...*level) route.Levels[Pipeline] {
	merged := merge(of)
	for _, p := range inOrder(merged) {
		r.checkBatch(p)
	}
	of[0].checkSets(merged)
	return route.Map(merged, r.pipeline)
}

// merge returns what counts for each namespace and set that one of the levels has.
func merge(levels []*level) route.Levels[parts] {
	merged := route.Levels[parts]{Root: over(levels), Namespaces: map[string]route.Namespace[parts]{}}
	for _, name := range namesBelow(levels) {
		namespaces := below(levels, name)
		ns := route.Namespace[parts]{Value: over(namespaces).over(merged.Root), Sets: map[string]parts{}}
		for _, set := range namesBelow(namespaces) {
			ns.Sets[set] = overSet(namespaces, set).over(merged.Root)
		}
		merged.Namespaces[name] = ns
	}
	return merged
}

// over returns the sections of the first level, and those that it does not set from the
// next levels.
func over(levels []*level) parts {
	var p parts
	for _, l := range levels {
		p = p.over(l.own)
	}
	return p
}

// overSet is like over, for a set of namespaces.
func overSet(namespaces []*level, set string) parts {
	var p parts
	for _, ns := range namespaces {
		p = p.over(over(below([]*level{ns}, set))).over(ns.own)
	}
	return p
}

// below returns the levels of that name below levels.
func below(levels []*level, name string) []*level {
	var list []*level
	for _, l := range levels {
		if b := l.below[name]; b != nil {
			list = append(list, b)
		}
	}
	return list
}

// namesBelow returns the names of the levels below levels.
func namesBelow(levels []*level) []string {
	var names []string
	for _, l := range levels {
		names = append(names, l.names...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// inOrder returns the values of all levels, always in the same order.
func inOrder[T any](levels route.Levels[T]) []T {
	list := []T{levels.Root}
	for _, name := range slices.Sorted(maps.Keys(levels.Namespaces)) {
		ns := levels.Namespaces[name]
		list = append(list, ns.Value)
		for _, set := range slices.Sorted(maps.Keys(ns.Sets)) {
			list = append(list, ns.Sets[set])
		}
	}
	return list
}

// pipeline returns the pipeline that a level's parts describe.
func (r *levelReader) pipeline(p parts) Pipeline {
	if len(p.destinations()) == 0 {
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
	if p.batching == nil || p.batching.at == nil {
		return
	}
	for _, name := range p.destinations() {
		d, ok := r.config.Destinations[name]
		key := check{p.batching.at, name}
		if ok && !r.checked[key] && !p.batching.at.Doc.HasErrors("destinations."+name) {
			r.checked[key] = true
			p.batching.checkDestination(d)
		}
	}
	key := check{p.batching.at, ""}
	if len(p.destinations()) > 0 && !r.checked[key] && !p.batching.at.Doc.HasErrors("service") {
		r.checked[key] = true
		p.batching.checkBounds(r.config.Service)
	}
}
