package aerospike

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	as "github.com/aerospike/aerospike-client-go/v7"

	"github.com/aerosink/aerosink/connector/change"
)

// The bins of the record that holds what was applied to a record.
const (
	binNewest  = "v" // a state
	binBase    = "b" // a state, 0 if there is none; absent if it is the newest
	binBins    = "u" // a blob; absent if there is none
	binEmptied = "e" // 1, or absent
)

// applied says which versions of a record were applied to the target.
type applied struct {
	newest state

	// base is the newest version with all bins of the record, or a delete; 0 if there is
	// none. Whatever is older is in it.
	base state

	// emptied says that nothing is left of the base, because updates have deleted all bins
	// and the target was absent then.
	emptied bool

	// bins has the newest version of each bin that an update after the base wrote, as that of
	// a delete if it deleted the bin.
	bins map[string]state
}

// appliedIn returns what is stored in a record of the set of versions, and the record's
// generation, which is 0 if the record is nil.
func appliedIn(r *as.Record, set string) (_ applied, generation uint32, err error) {
	if r == nil {
		return applied{}, 0, nil
	}
	newest, err := stateIn(r, set, binNewest)
	if err != nil {
		return applied{}, 0, err
	}
	a := applied{newest: newest, base: newest}
	if base, ok := r.Bins[binBase].(int); ok {
		a.base = state(base)
	}
	_, a.emptied = r.Bins[binEmptied]
	blob, _ := r.Bins[binBins].([]byte)
	a.bins = make(map[string]state)
	for len(blob) > 0 {
		const number = 8
		if len(blob) <= number || len(blob) < number+1+int(blob[number]) {
			return applied{}, 0, change.Permanent(fmt.Errorf("a record of set %s was written by something else: its bin %s cannot be read", set, binBins))
		}
		end := number + 1 + int(blob[number])
		a.bins[string(blob[number+1:end])] = state(binary.BigEndian.Uint64(blob))
		blob = blob[end:]
	}
	return a, r.Generation, nil
}

// ops returns the operations that write a.
func (a *applied) ops() []*as.Operation {
	ops := []*as.Operation{as.PutOp(as.NewBin(binNewest, int64(a.newest)))}
	if a.base != a.newest {
		ops = append(ops, as.PutOp(as.NewBin(binBase, int64(a.base))))
	}
	if a.emptied {
		ops = append(ops, as.PutOp(as.NewBin(binEmptied, 1)))
	}
	if len(a.bins) == 0 {
		return ops
	}
	var blob []byte
	for _, name := range slices.Sorted(maps.Keys(a.bins)) {
		blob = binary.BigEndian.AppendUint64(blob, uint64(a.bins[name]))
		blob = append(append(blob, byte(len(name))), name...)
	}
	return append(ops, as.PutOp(as.NewBin(binBins, blob)))
}

// update adds an update of version v to a. It returns the indexes of the bins that it is to
// write: those without a newer value. It is the newest version if none came after it, so
// that the record expires when it says. If neither, the update is stale.
func (a *applied) update(v state, bins []change.Bin) (write []int, newest bool) {
	if a.base.covers(v) {
		return nil, false
	}
	if a.bins == nil {
		a.bins = map[string]state{}
	}
	for i := range bins {
		name := bins[i].Name
		if written := a.bins[name] &^ stateDelete; written.covers(v) {
			continue
		}
		if a.bins[name] = v; bins[i].Value.Kind() == change.KindNil {
			a.bins[name] |= stateDelete
		}
		write = append(write, i)
	}
	if newest = !a.newest.covers(v); newest {
		a.newest = v
	}
	return write, newest
}

// rebase makes a change of the whole record, of version v, the base of a, which has newer
// updates. It returns the indexes of the bins that have no newer value.
func (a *applied) rebase(v state, bins []change.Bin) (write []int) {
	a.base, a.emptied = v, false
	maps.DeleteFunc(a.bins, func(_ string, s state) bool { return !(s &^ stateDelete).covers(v &^ stateDelete) })
	for i := range bins {
		if _, newer := a.bins[bins[i].Name]; !newer {
			write = append(write, i)
		}
	}
	return write
}

// hasNoBase reports whether the target has nothing of the base.
func (a *applied) hasNoBase() bool { return a.emptied || a.base&stateDelete != 0 }

// covers reports whether a change of version v may be dropped because s was applied. It is
// false if v is s, since a change is applied again until it is known to be applied.
func (s state) covers(v state) bool {
	return s != 0 && s != v && s.version().Supersedes(v.version())
}
