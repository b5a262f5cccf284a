package config

import (
	"slices"
	"time"

	"github.com/aerosink/aerosink/connector/route"
)

// Budget is how long a change may take from its arrival to its reply, as the
// corridor, which config does not know, has it.
const Budget = 9 * time.Second

// patience is for how long XDR waits for a reply.
const patience = 10 * time.Second

// each returns what the levels hold, one after another.
func each(levels route.Levels[Pipeline]) []Pipeline {
	list := []Pipeline{levels.Root}
	for _, ns := range levels.Namespaces {
		list = append(list, ns.Value)
		for _, t := range ns.Sets {
			list = append(list, t)
		}
	}
	return list
}

// checkUnused warns of destinations that nothing is sent to.
func checkUnused(top *section, c *Config) {
	used := []string{c.DeadLetters.Destination}
	for _, t := range each(c.Pipelines) {
		used = append(used, t.Rule.Destinations...)
	}
	s := top.Dictionary("destinations")
	for _, name := range s.Keys {
		if !slices.Contains(used, name) {
			s.Warn(name, "no routing names it; nothing is sent there")
		}
	}
}

// checkShared warns of endpoints that two destinations have. That of the dead letters
// may be another's: nothing is routed to it.
func checkShared(top *section, c *Config) {
	owner := map[string]string{}
	s := top.Dictionary("destinations")
	for _, name := range s.Keys {
		if name == c.DeadLetters.Destination {
			continue
		}
		for i, u := range c.Destinations[name].URLs {
			if other, ok := owner[u.String()]; ok {
				s.Warn(name, "urls[%d] is also that of destination %s; what is routed to both comes twice", i, other)
				continue
			}
			owner[u.String()] = name
		}
	}
}

// checkBatch looks at a level's batching together with where its batches go.
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

// checkBounds warns of a batch that the connector as a whole has no room for.
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
		s.Warn("batch-interval", "means nothing with max-records: 1; a full request does not wait")
	}
}

// check is one that is made once, wherever a section counts. The empty name is of
// the connector itself.
type check struct {
	batching    *section
	destination string
}
