package config

import (
	"maps"
	"math"
	"slices"
	"time"

	"github.com/aerosink/aerosink/connector/deliver"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/route"
)

// Defaults of a batching section, both ours: ESP has no bound unless it is
// written, and Cloud Run takes no body over 32 MiB. The interval is 0 where ESP
// waits 8 s: a lane batches what queues behind its request, and need not wait.
const (
	defaultMaxBatchRecords = 500
	defaultMaxBatchBytes   = 4 << 20
)

// parts are the sections that each level may have of its own. A level takes those
// it does not have whole from the level above.
type parts struct {
	rule     *route.Rule
	format   format.Format
	batching *batching
}

type batching struct {
	records, bytes int
	interval       time.Duration
}

func treatments(top *section, destinations map[string]deliver.Config) route.Levels[Treatment] {
	r := levelReader{destinations: destinations, streams: map[streamKey]*deliver.Stream{}}
	root := r.read(top, parts{})
	levels := route.Levels[Treatment]{Root: r.treatment(top, root), Namespaces: map[string]route.Namespace[Treatment]{}}
	if root.rule == nil && !top.has("namespaces") {
		top.fault("routing", "missing; say where changes go, for example {mode: static, destination: NAME}")
	}
	namespaces := top.sub("namespaces")
	for _, name := range namespaces.order {
		s := namespaces.sub(name)
		own := r.read(s, root)
		ns := route.Namespace[Treatment]{Value: r.treatment(s, own), Sets: map[string]Treatment{}}
		sets := s.sub("sets")
		for _, set := range sets.order {
			leaf := sets.sub(set)
			ns.Sets[set] = r.treatment(leaf, r.read(leaf, own))
			leaf.end()
		}
		s.end()
		levels.Namespaces[name] = ns
	}
	return levels
}

type levelReader struct {
	destinations map[string]deliver.Config
	streams      map[streamKey]*deliver.Stream
}

// streamKey is what makes changes of different levels travel together.
type streamKey struct {
	format   format.Format
	batching batching
}

// read returns what s says, and of the rest what the level above has.
func (r *levelReader) read(s *section, above parts) parts {
	p := above
	if s.has("routing") {
		p.rule = r.rule(s.sub("routing"))
	}
	if s.has("format") {
		p.format = readFormat(s.shorthand("format", "mode"))
	}
	if s.has("batching") {
		p.batching = readBatching(s.sub("batching"))
	}
	s.refused("bin-transforms", "not supported yet")
	s.refused("record-ordering", "not supported yet; versions of one record already leave one after another")
	s.refused("custom-transformer", "Java classes cannot be loaded; transform what arrives at the destination")
	return p
}

// treatment makes the level's parts into what a change is treated with.
func (r *levelReader) treatment(s *section, p parts) Treatment {
	if p.rule == nil || len(p.rule.Destinations) == 0 {
		return Treatment{}
	}
	if p.format == nil {
		s.fault("format", "missing; ESP's default, xdr, is not supported yet: set json or flat-json")
		return Treatment{}
	}
	b := batching{records: 1, bytes: math.MaxInt}
	if p.batching != nil {
		b = *p.batching
	}
	key := streamKey{p.format, b}
	if r.streams[key] == nil {
		r.streams[key] = &deliver.Stream{Envelope: p.format, MaxRecords: b.records, MaxBytes: b.bytes, Interval: b.interval}
	}
	return Treatment{Rule: *p.rule, Format: p.format, Stream: r.streams[key]}
}

func (r *levelReader) rule(s *section) *route.Rule {
	defer s.end()
	rule := &route.Rule{}
	mode := s.word("mode", "", "static", "static-multi-destination", "skip", "custom")
	switch mode {
	case "static":
		rule.Destinations = s.texts("destination")
	case "static-multi-destination":
		rule.Destinations = s.texts("destinations")
	case "custom":
		s.fault("mode", "Java classes cannot be loaded; route by namespace and set under namespaces")
		s.get("class")
		s.get("params")
		return rule
	case "":
		if !s.has("mode") {
			s.fault("mode", "missing; say static, static-multi-destination or skip")
		}
		return rule
	}
	r.check(s, mode, rule.Destinations)
	return rule
}

// check reports destinations that are not there, none, one twice, and keys that
// belong to another mode.
func (r *levelReader) check(s *section, mode string, names []string) {
	key := map[string]string{"static": "destination", "static-multi-destination": "destinations"}[mode]
	known := slices.Sorted(maps.Keys(r.destinations))
	for i, name := range names {
		if _, ok := r.destinations[name]; !ok {
			s.fault(key, "no destination is called %q%s", name, hint(name, known))
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

// readFormat reads format: json as well as format: {mode: json}.
func readFormat(s *section) format.Format {
	defer s.end()
	return formatOf(s)
}

func formatOf(s *section) format.Format {
	mode := s.word("mode", "", "json", "flat-json", "xdr", "avro", "message-pack", "custom")
	stringify := s.boolean("stringify-map-keys", true)
	key := s.text("metadata-key", "")
	if mode != "flat-json" && key != "" {
		s.fault("metadata-key", "belongs to mode flat-json")
	}
	switch mode {
	case "json":
		return format.JSON{StringifyMapKeys: stringify}
	case "flat-json":
		if key == "" {
			s.fault("metadata-key", "missing; flat-json needs the name of the member that holds the metadata")
		}
		return format.FlatJSON{MetadataKey: key, StringifyMapKeys: stringify}
	case "custom":
		s.fault("mode", "Java classes cannot be loaded; choose a built-in format")
	case "":
		if !s.has("mode") {
			s.fault("mode", "missing; say json or flat-json")
		}
	default:
		s.fault("mode", "%s is not supported yet; say json or flat-json", mode)
	}
	for _, key := range []string{"class", "batch-formatter-class", "params", "payload-format", "schema", "schema-file"} {
		s.get(key)
	}
	return format.JSON{} // of a configuration that is refused
}

func readBatching(s *section) *batching {
	defer s.end()
	b := &batching{
		records:  s.integer("max-records", defaultMaxBatchRecords, 1, math.MaxInt32),
		bytes:    s.integer("max-bytes", defaultMaxBatchBytes, 1, math.MaxInt64),
		interval: s.duration("batch-interval", 0, 0, time.Hour, time.Millisecond),
	}
	if !s.boolean("enabled", true) {
		return &batching{records: 1, bytes: math.MaxInt}
	}
	if budget := 10 * time.Second; b.interval >= budget {
		s.fault("batch-interval", "%s, but XDR waits only %s for its reply; leave the key out", b.interval, budget)
	}
	return b
}
