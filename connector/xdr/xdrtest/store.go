package xdrtest

import (
	"maps"
	"slices"
	"sort"
	"time"

	"github.com/aerosink/aerosink/connector/change"
)

// Ship sets the namespaces whose changes are shipped. Without it, all are.
func (s *Source) Ship(namespaces ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin()
	s.shipped = append([]string{}, namespaces...)
	for name, n := range s.namespaces {
		n.shipped = s.ships(name)
	}
}

func (s *Source) ships(namespace string) bool {
	return s.shipped == nil || slices.Contains(s.shipped, namespace)
}

// namespace returns the namespace of a name.
func (s *Source) namespace(name string) *namespace {
	n := s.namespaces[name]
	if n == nil {
		n = &namespace{shipped: s.ships(name)}
		s.namespaces[name] = n
	}
	return n
}

// Get returns the current version of a record, without its deleted bins if the policy ships
// whole records. It is nil if there is no record, or if it is deleted or has expired. Nobody
// may write to it.
func (s *Source) Get(namespace string, d change.Digest) *change.Change {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin()
	if r := s.namespace(namespace).find(d); r.isLive(s.clock().Unix()) {
		return r.now
	}
	return nil
}

// Update changes a record in one step. It calls update with what Get returns, and makes the
// result the new version, which is queued. If the result is nil, nothing changes. Namespace
// and digest of the result, generation and LUT are set by the source. Its bins are all bins
// of the record. A bin with a LUT is one that did not change. The source keeps the result.
// update must not call methods of the source.
func (s *Source) Update(namespace string, d change.Digest, update func(now *change.Change) *change.Change) *change.Change {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin()
	n, at := s.namespace(namespace), s.clock()
	r := n.find(d)
	live := r.isLive(at.Unix())
	var now *change.Change
	if live {
		now = r.now
	}
	c := update(now)
	if c == nil {
		return nil
	}
	c.Namespace, c.Digest = namespace, d
	if r == nil {
		r = n.findOrAdd(d)
	}
	s.replace(n, r, c, at, live)
	return c
}

// replace makes c the current version of r, and queues it.
func (s *Source) replace(n *namespace, r *record, c *change.Change, at time.Time, live bool) {
	if s.Policy.Bins == OnlyChanged && live && !c.Op.IsDelete() {
		c.Bins = addDeleted(c.Bins, r.now.Bins)
	}
	if s.Faults.Stale > 0 {
		r.before = r.now
	}
	r.replace(c, at, live)
	n.partitions[c.Digest.Partition()].note(c.Expiry)
	if n.shipped {
		s.queue(item{digest: c.Digest, record: r, lut: c.LUT})
	}
}

// Write writes a record as a client does, and queues the change. It takes namespace, set,
// digest, key, expiry and the written bins from c; a bin of KindNil is deleted. Generation
// and times are set by the source. Write returns the new version.
func (s *Source) Write(c change.Change) Version {
	return VersionOf(s.Update(c.Namespace, c.Digest, func(now *change.Change) *change.Change {
		var bins []change.Bin
		if now != nil {
			bins = now.Bins
		}
		c.Op, c.Bins = change.Write, merge(bins, c.Bins)
		return &c
	}))
}

// Delete deletes a record as a client does, durably if op says so, and queues the delete.
// It returns the zero Version if there is no record.
func (s *Source) Delete(namespace string, d change.Digest, op change.Op) Version {
	c := s.Update(namespace, d, func(now *change.Change) *change.Change {
		if now == nil {
			return nil
		}
		return Deleted(now, op)
	})
	if c == nil {
		return Version{}
	}
	return VersionOf(c)
}

// Deleted returns the version of a record that is c deleted by op.
func Deleted(c *change.Change, op change.Op) *change.Change {
	deleted := *c
	deleted.Op, deleted.Bins, deleted.Expiry = op, nil, 0
	return &deleted
}

// Expire deletes a record as the namespace supervisor does when it has expired or is
// evicted. The delete is shipped only if the policy says so.
func (s *Source) Expire(namespace string, d change.Digest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin()
	n := s.namespace(namespace)
	if r := n.find(d); r != nil && r.now != nil && !r.gone {
		s.expire(n, r)
	}
}

func (s *Source) expire(n *namespace, r *record) {
	if !s.Policy.SupervisorDeletes {
		r.gone = true
		return
	}
	if !r.now.Op.IsDelete() {
		s.replace(n, r, Deleted(r.now, change.Delete), s.clock(), true)
	}
}

// Sweep deletes the records that have expired, as the namespace supervisor does.
func (s *Source) Sweep() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin()
	now := s.clock().Unix()
	for _, n := range s.namespaces {
		for i := range n.partitions {
			for _, r := range n.partitions[i].expired(now) {
				s.expire(n, r)
			}
		}
	}
}

// Truncate deletes the records of a set whose LUT is before lut, in Unix milliseconds. A set
// of "" is the whole namespace. The deletes are not shipped.
func (s *Source) Truncate(namespace, set string, lut int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin()
	s.namespace(namespace).all(func(r *record) {
		if r.now.LUT < lut && (set == "" || r.now.Set == set) {
			r.gone = true
		}
	})
}

// Scan appends to dst at most limit records of a partition, as Get returns them, in
// descending order of their digests. It begins with the first digest below the given one, or
// with the highest if that is nil. There are no more if fewer than limit are appended.
func (s *Source) Scan(dst []*change.Change, namespace string, partition int, below *change.Digest, limit int) []*change.Change {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin()
	now := s.clock().Unix()
	list := s.namespace(namespace).partitions[partition].descending()
	if below != nil {
		at := sort.Search(len(list), func(i int) bool { return string(list[i].now.Digest[:]) < string(below[:]) })
		list = list[at:]
	}
	for _, r := range list {
		if limit == 0 {
			break
		}
		if r.isLive(now) {
			dst = append(dst, r.now)
			limit--
		}
	}
	return dst
}

// SetCount counts the records of a set.
type SetCount struct {
	Set                 string // "" are the records in no set
	Records, Tombstones int
}

// Sets returns the sets of a namespace that have records or tombstones, by name.
func (s *Source) Sets(namespace string) []SetCount {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin()
	now := s.clock().Unix()
	counts := map[string]*SetCount{}
	s.namespace(namespace).all(func(r *record) {
		live := r.isLive(now)
		if !live && (r.gone || r.now.Op != change.DurableDelete) {
			return
		}
		c := counts[r.now.Set]
		if c == nil {
			c = &SetCount{Set: r.now.Set}
			counts[r.now.Set] = c
		}
		if live {
			c.Records++
		} else {
			c.Tombstones++
		}
	})
	var sets []SetCount
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		sets = append(sets, *counts[name])
	}
	return sets
}

// Rewind queues all records of a namespace. Deletes without a tombstone are lost.
func (s *Source) Rewind(namespace string) { s.Recover(namespace, 0) }

// Recover queues the records of a namespace that changed after lut, in Unix milliseconds, as
// a node does that lost its queue. Deletes without a tombstone are lost. It does nothing if
// the namespace is not shipped.
func (s *Source) Recover(namespace string, lut int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin()
	n := s.namespace(namespace)
	if !n.shipped {
		return
	}
	s.stats.Recoveries++
	for _, r := range n.after(lut) {
		s.queue(item{digest: r.now.Digest, record: r, lut: r.now.LUT})
	}
}

// Newest returns the version of each record of a namespace that a connector has in the end.
func (s *Source) Newest(namespace string) map[change.Digest]Version {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin()
	return s.namespace(namespace).newest()
}
