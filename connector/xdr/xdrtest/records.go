package xdrtest

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/aerosink/aerosink/connector/change"
)

// record is a record of the database: the change that made it what it is. A deleted record
// stays, so that its update times keep growing.
type record struct {
	now    change.Change
	before *change.Change // the version before; nil for the first
	shared int64          // LUT of the last version that a connector acknowledged
	sent   time.Time      // when it was last shipped
	gone   bool           // there is nothing to ship
}

// records are the records of the database.
type records map[change.Digest]*record

// write makes a new version from c, as [Source.Write] says, and returns it.
func (rs records) write(c change.Change) *change.Change {
	r := rs[c.Digest]
	if r == nil {
		r = &record{}
		rs[c.Digest] = r
	}
	var bins []change.Bin
	if !r.gone {
		bins = r.now.Bins
	}
	c.Op, c.LUT, c.Generation, c.Bins = change.Write, r.now.LUT, r.now.Generation, merge(bins, c.Bins)
	return r.replace(c)
}

// delete makes a version that is deleted by op, and returns it: nil if there is no record.
func (rs records) delete(d change.Digest, op change.Op) *change.Change {
	r := rs[d]
	if r == nil || r.gone || r.now.Op.IsDelete() {
		return nil
	}
	c := r.now
	c.Op, c.Bins, c.Expiry = op, nil, 0
	return r.replace(c)
}

// replace makes c the current version. It has the generation and time of the one before.
func (r *record) replace(c change.Change) *change.Change {
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
	return &r.now
}

// merge returns bins with written in the place of bins of the same name, or appended. A
// deleted bin stays with KindNil.
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

// after returns the records that changed after lut, by partition. A delete without a
// tombstone is not found.
func (rs records) after(lut int64) []*record {
	var found []*record
	for _, r := range rs {
		if r.now.LUT > lut && !r.gone && r.now.Op != change.Delete {
			found = append(found, r)
		}
	}
	slices.SortFunc(found, func(a, b *record) int {
		return cmp.Or(cmp.Compare(a.now.Digest.Partition(), b.now.Digest.Partition()), cmp.Compare(a.now.LUT, b.now.LUT))
	})
	return found
}

// newest returns the last version of each record that a connector is to have.
func (rs records) newest() map[change.Digest]Version {
	newest := map[change.Digest]Version{}
	for d, r := range rs {
		if !r.gone || r.shared == r.now.LUT {
			newest[d] = VersionOf(&r.now)
		}
	}
	return newest
}
