package xdrtest

import (
	"bytes"
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/aerosink/aerosink/connector/change"
)

// record is a record of the database. A deleted record stays, so that its update times keep
// growing.
type record struct {
	now     *change.Change // the current version; nobody writes to it
	before  *change.Change // the version before; kept only for Faults.Stale
	created int64          // LUT of the version that created it
	shared  int64          // LUT of the last version that a connector acknowledged
	sent    time.Time      // when it was last shipped; kept only for HotKey
	gone    bool           // there is nothing to ship
	queued  bool
}

// isLive reports whether clients can read the record at now, in Unix seconds. A nil record
// is not live.
func (r *record) isLive(now int64) bool {
	return r != nil && r.now != nil && !r.gone && !r.now.Op.IsDelete() && !r.isExpired(now)
}

// isExpired reports whether the record outlived its expiry. Like a node, it does so in the
// second after (aerospike-server, record.h, as_record_is_expired).
func (r *record) isExpired(now int64) bool { return r.now.Expiry > 0 && now > r.now.Expiry }

// replace makes c the current version at now. It sets generation and times of c. If the
// record was not live, c creates it: with generation 1, unless it follows a tombstone.
func (r *record) replace(c *change.Change, now time.Time, live bool) {
	lut, generation := now.UnixMilli(), uint32(0)
	if old := r.now; old != nil {
		lut = max(lut, old.LUT+1)
		if live || !r.gone && old.Op == change.DurableDelete {
			generation = old.Generation
		}
	}
	if !live {
		r.created = lut
	}
	if generation++; generation > math.MaxUint16 {
		generation = 1
	}
	c.LUT, c.Generation = lut, generation
	for i := range c.Bins {
		if c.Bins[i].LUT == 0 {
			c.Bins[i].LUT = lut
		}
	}
	r.now, r.gone = c, false
}

// namespace holds the records of a namespace.
type namespace struct {
	shipped    bool
	partitions [change.Partitions]partition
}

// partition holds the records of a partition.
type partition struct {
	records map[change.Digest]*record
	list    []*record // the same
	sorted  bool      // list is in descending order of the digests
	expiry  int64     // no record expires before; 0 if none does
}

// find returns the record of a digest, nil if there never was one.
func (n *namespace) find(d change.Digest) *record {
	return n.partitions[d.Partition()].records[d]
}

// findOrAdd returns the record of a digest. A new one has no version.
func (n *namespace) findOrAdd(d change.Digest) *record {
	p := &n.partitions[d.Partition()]
	r := p.records[d]
	if r == nil {
		if p.records == nil {
			p.records = map[change.Digest]*record{}
		}
		r = &record{gone: true}
		p.records[d] = r
		p.list = append(p.list, r)
		p.sorted = false
	}
	return r
}

// all calls do with each record that has a version.
func (n *namespace) all(do func(*record)) {
	for i := range n.partitions {
		for _, r := range n.partitions[i].list {
			if r.now != nil {
				do(r)
			}
		}
	}
}

// note remembers that a record of p expires.
func (p *partition) note(expiry int64) {
	if expiry > 0 && (p.expiry == 0 || expiry < p.expiry) {
		p.expiry = expiry
	}
}

// descending returns the records in descending order of their digests, the order in which a
// node scans a partition.
func (p *partition) descending() []*record {
	if !p.sorted {
		slices.SortFunc(p.list, func(a, b *record) int { return bytes.Compare(b.now.Digest[:], a.now.Digest[:]) })
		p.sorted = true
	}
	return p.list
}

// expired returns the records that are expired at now, in Unix seconds.
func (p *partition) expired(now int64) []*record {
	if p.expiry == 0 || now <= p.expiry {
		return nil
	}
	var found []*record
	p.expiry = 0
	for _, r := range p.list {
		switch {
		case r.now == nil || r.gone || r.now.Op.IsDelete():
		case r.isExpired(now):
			found = append(found, r)
		default:
			p.note(r.now.Expiry)
		}
	}
	return found
}

// after returns the records that changed after lut, by partition. A delete without a
// tombstone is not found.
func (n *namespace) after(lut int64) []*record {
	var found []*record
	n.all(func(r *record) {
		if r.now.LUT > lut && !r.gone && r.now.Op != change.Delete {
			found = append(found, r)
		}
	})
	slices.SortFunc(found, func(a, b *record) int {
		return cmp.Or(cmp.Compare(a.now.Digest.Partition(), b.now.Digest.Partition()), cmp.Compare(a.now.LUT, b.now.LUT))
	})
	return found
}

// newest returns the last version of each record that a connector is to have.
func (n *namespace) newest() map[change.Digest]Version {
	newest := map[change.Digest]Version{}
	n.all(func(r *record) {
		if !r.gone || r.shared == r.now.LUT {
			newest[r.now.Digest] = VersionOf(r.now)
		}
	})
	return newest
}

// merge returns bins with written in the place of bins of the same name, or appended.
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

// addDeleted appends to bins those of old that are missing, as deleted bins.
func addDeleted(bins, old []change.Bin) []change.Bin {
	for _, o := range old {
		if !slices.ContainsFunc(bins, func(b change.Bin) bool { return b.Name == o.Name }) {
			if o.Value.Kind() != change.KindNil {
				o = change.Bin{Name: o.Name}
			}
			bins = append(bins, o)
		}
	}
	return bins
}
