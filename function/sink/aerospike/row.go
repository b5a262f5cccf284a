package aerospike

import (
	"errors"
	"slices"
	"time"

	as "github.com/aerospike/aerospike-client-go/v7"

	"github.com/aerosink/aerosink/connector/change"
)

// row is a change on its way to the database, with what has been read there.
type row struct {
	index  int // in the batch of the Put
	change *change.Change
	action action
	ops    []*as.Operation // one for each bin, or a touch
	ttl    uint32

	target *as.Key
	states *as.Key // of the record with the state; nil without versions
	state  state

	// As read in step 1.
	present    bool
	generation uint32
	lut        int64 // nanoseconds

	// Of step 2. Only updates read what was applied before they write it.
	applied           applied
	appliedGeneration uint32            // 0 if nothing was
	stateCommand      as.BatchRecordIfc // which has stored the state
	written           []int             // the bins that an update writes
	newest            bool              // no newer change than the update was applied
	late              bool              // a change of the whole record after newer updates
	bins              []string          // of the target
}

type action uint8

const (
	replace action = iota
	update
	remove
)

// row returns the row of a change that is written at that time. An error is permanent.
func (s *records) row(c *change.Change, now time.Time) (*row, error) {
	key, err := userKey(c.Key)
	if err != nil {
		return nil, err
	}
	r := &row{change: c, target: s.cluster.key(c.Set, c.Digest, key)}
	if s.versions != "" {
		r.states = s.cluster.key(s.versions, s.versionDigest(c.Digest), nil)
		if r.state, err = stateOf(c.Version()); err != nil {
			return nil, errors.New(err.Error() + ", so the change cannot be ordered; versions=none applies changes as they come")
		}
		if c.Set == s.versions {
			return nil, errors.New("the change is of the set that holds the versions; name another set with versions=")
		}
	}
	if c.Op.IsDelete() {
		r.action = remove
		return r, nil
	}
	r.action, r.ttl = s.actionOf(c), s.ttl.of(c, now)
	return r, r.setOps()
}

// versionDigest returns the digest of the record that holds the version of the record with
// digest d. It is another one, since the server has one record for a digest, whatever its
// set; in the same partition, so on the same node; and never the same for two records, nor
// for two sets of versions.
func (s *records) versionDigest(d change.Digest) change.Digest {
	const partition = 2 // bytes
	for i := partition; i < len(d); i++ {
		d[i] ^= s.mask[i]
	}
	return d
}

// actionOf returns what a write does.
func (s *records) actionOf(c *change.Change) action {
	switch c.Mode {
	case change.Replace:
		return replace
	case change.Update:
		return update
	}
	if s.update {
		return update
	}
	for i := range c.Bins {
		if c.Bins[i].Value.Kind() == change.KindNil {
			return update // only updates delete bins
		}
	}
	return replace
}

// setOps sets the operations of a write.
func (r *row) setOps() error {
	bins := r.change.Bins
	r.ops = make([]*as.Operation, len(bins), max(len(bins), 1))
	values := 0
	for i := range bins {
		b, err := bin(&bins[i])
		if err != nil {
			return err
		}
		r.ops[i] = as.PutOp(b)
		if bins[i].Value.Kind() != change.KindNil {
			values++
		}
	}
	switch {
	case r.isTouch():
		r.ops = append(r.ops, as.TouchOp())
	case r.action == replace && values == 0:
		return errors.New("the change is a write without bins, so the record cannot be made from it; set bin-policy to all, or to only-changed, for this destination")
	}
	return nil
}

// isTouch reports whether r changes only when the record expires.
func (r *row) isTouch() bool { return r.action == update && len(r.change.Bins) == 0 }

// hasCollection reports whether the change has a list or a map.
func (r *row) hasCollection() bool {
	for i := range r.change.Bins {
		if r.change.Bins[i].Value.Kind().IsCollection() {
			return true
		}
	}
	return false
}

// hasValues reports whether a merged change writes a bin that it does not delete.
func (r *row) hasValues() bool {
	return slices.ContainsFunc(r.written, func(n int) bool { return r.change.Bins[n].Value.Kind() != change.KindNil })
}

// empties reports whether a change that is merged leaves no bin, and so no record.
func (r *row) empties() bool {
	if r.action != update && !r.late || r.isTouch() || r.hasValues() {
		return false
	}
	for _, name := range r.bins {
		if newer := r.applied.bins[name]; newer != 0 && newer&stateDelete == 0 || newer == 0 && !r.late {
			return false
		}
	}
	return true
}

// deleteOps returns operations that delete the bins of the target that a newer update has
// deleted, and those that neither the change nor a newer update has.
func (r *row) deleteOps() (ops []*as.Operation) {
	has := map[string]bool{}
	if r.late {
		for i := range r.change.Bins {
			has[r.change.Bins[i].Name] = true
		}
	}
	for _, name := range r.bins {
		if newer := r.applied.bins[name]; newer&stateDelete != 0 || newer == 0 && !has[name] {
			ops = append(ops, as.PutOp(as.NewBin(name, nil)))
		}
	}
	return ops
}

// writeOps returns the operations of a write.
func (r *row) writeOps(ordered bool) []*as.Operation {
	switch {
	case r.isTouch(), r.action == update && !ordered:
		return r.ops
	case r.action == replace && !r.late:
		return r.valueOps(allIndexes(len(r.ops)))
	case !r.present:
		return r.valueOps(r.written)
	}
	var ops []*as.Operation
	for _, n := range r.written {
		ops = append(ops, r.ops[n])
	}
	if r.late {
		return append(ops, r.deleteOps()...)
	}
	// If the change has created the record late, it has done so with bins that a newer one
	// had deleted.
	for i := range r.change.Bins {
		if name := r.change.Bins[i].Name; r.applied.bins[name]&stateDelete != 0 && !slices.Contains(r.written, i) {
			ops = append(ops, as.PutOp(as.NewBin(name, nil)))
		}
	}
	return ops
}

// valueOps returns the operations for some bins, without those that delete one: the server
// refuses them together with a replacement, and an absent record has no bin to delete.
func (r *row) valueOps(indexes []int) []*as.Operation {
	ops := make([]*as.Operation, 0, len(indexes))
	for _, n := range indexes {
		if r.change.Bins[n].Value.Kind() != change.KindNil {
			ops = append(ops, r.ops[n])
		}
	}
	return ops
}

func allIndexes(n int) []int {
	indexes := make([]int, n)
	for i := range indexes {
		indexes[i] = i
	}
	return indexes
}

// result returns what has become of a change that is applied.
func (r *row) result() result {
	if r.action == remove {
		return deleted
	}
	return stored
}
