package xdrtest

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/aerosink/aerosink/connector/change"
)

// record is a record of the database, as the change that made it what it is. A
// record that was deleted stays, so that its clock does not run backwards.
type record struct {
	now    change.Change
	before *change.Change // the version before; nil of the first
	shared int64          // LUT of the last version that a connector has
	sent   time.Time      // when it was last shipped
	gone   bool           // nothing is left to ship
}

// Write writes a record as a client does, and queues it. Of c it takes namespace,
// set, digest, key, expiry and the bins written, of which those of KindNil are
// deleted; generation and times are the source's. It returns the new version.
func (s *Source) Write(c change.Change) Version {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin()
	r := s.records[c.Digest]
	if r == nil {
		r = &record{}
		s.records[c.Digest] = r
	}
	var bins []change.Bin
	if !r.gone {
		bins = r.now.Bins
	}
	c.Op, c.LUT, c.Generation, c.Bins = change.Write, r.now.LUT, r.now.Generation, merge(bins, c.Bins)
	return s.keep(r, c)
}

// Delete deletes a record as a client does, durably when op says so, and queues
// the delete. It returns the zero Version when there is no record.
func (s *Source) Delete(d change.Digest, op change.Op) Version {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin()
	r := s.records[d]
	if r == nil || r.gone || r.now.Op.IsDelete() {
		return Version{}
	}
	c := r.now
	c.Op, c.Bins, c.Expiry = op, nil, 0
	return s.keep(r, c)
}

// Expire deletes a record as the namespace supervisor does when its time is over
// or room is short. That is shipped only if the policy says so.
func (s *Source) Expire(d change.Digest) {
	if s.Policy.SupervisorDeletes {
		s.Delete(d, change.Delete)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin()
	if r := s.records[d]; r != nil {
		r.gone = true
	}
}

// keep makes c, which has generation and time of the version before, the record's
// current version.
func (s *Source) keep(r *record, c change.Change) Version {
	if r.now.LUT > 0 {
		before := r.now
		r.before = &before
	}
	c.LUT = max(time.Now().UnixMilli(), c.LUT+1)
	if c.Generation++; c.Generation > math.MaxUint16 {
		c.Generation = 1
	}
	for i, b := range c.Bins {
		if b.LUT == 0 {
			c.Bins[i].LUT = c.LUT
		}
	}
	r.now, r.gone = c, false
	s.queue(item{digest: c.Digest, lut: c.LUT})
	return VersionOf(&c)
}

// merge returns bins with those of written in their place, or behind. A bin that
// was deleted stays as one of KindNil.
func merge(bins, written []change.Bin) []change.Bin {
	merged := slices.Clone(bins)
	for _, w := range written {
		at := slices.IndexFunc(merged, func(b change.Bin) bool { return b.Name == w.Name })
		if at < 0 {
			merged = append(merged, w)
			continue
		}
		merged[at] = w
	}
	return merged
}

// Rewind queues all records, in the order of their partitions.
func (s *Source) Rewind() { s.Recover(0) }

// Recover queues what changed after lut, in the order of partitions, as a node
// does that lost its queue. A delete that left no tombstone is not found again.
func (s *Source) Recover(lut int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin()
	var found []*record
	for _, r := range s.records {
		if r.now.LUT > lut && !r.gone && r.now.Op != change.Delete {
			found = append(found, r)
		}
	}
	slices.SortFunc(found, func(a, b *record) int {
		return cmp.Or(cmp.Compare(a.now.Digest.Partition(), b.now.Digest.Partition()), cmp.Compare(a.now.LUT, b.now.LUT))
	})
	s.stats.Recoveries++
	for _, r := range found {
		s.queue(item{digest: r.now.Digest, lut: r.now.LUT})
	}
}

// Newest returns the version of each record that a connector has in the end.
func (s *Source) Newest() map[change.Digest]Version {
	s.mu.Lock()
	defer s.mu.Unlock()
	newest := map[change.Digest]Version{}
	for d, r := range s.records {
		if !r.gone || r.shared == r.now.LUT {
			newest[d] = VersionOf(&r.now)
		}
	}
	return newest
}
