package change

import "cmp"

// Version says which of a record's versions a change made. The zero Version is unknown.
//
// Aerospike never lets a record's last update time (LUT) go back, even if the clock of the
// server does, as long as the record or its tombstone exists. Versions with the same LUT
// differ by generation, which has 16 bits and is 1 again after 65,535.
type Version struct {
	LUT        int64  // Unix milliseconds; 0 if unknown
	Generation uint32 // 0 if unknown; of a delete, the last generation + 1
	Op         Op
}

// Version returns the version that c made.
func (c *Change) Version() Version { return Version{c.LUT, c.Generation, c.Op} }

// Compare orders the versions of a record: it is negative if v is older than w, positive if v
// is newer, and 0 if they are the same or nothing tells them apart. Of two versions with the
// same LUT the one with the later generation is newer, also across the wrap from 65,535 to 1.
func (v Version) Compare(w Version) int {
	if c := cmp.Compare(v.LUT, w.LUT); c != 0 {
		return c
	}
	if v.Generation == 0 || w.Generation == 0 {
		return 0
	}
	return int(int16(v.Generation - w.Generation)) // serial numbers of 16 bits
}

// Supersedes reports whether w may be dropped once v is stored, because v is certainly the
// same version or a newer one. It is false if either LUT is unknown. It is also false if w is
// a write with the LUT of a delete: w may have created the record again, and generations
// begin anew then.
func (v Version) Supersedes(w Version) bool {
	if v.LUT == 0 || w.LUT == 0 {
		return false
	}
	if v.LUT != w.LUT {
		return v.LUT > w.LUT
	}
	if v.Generation == 0 || w.Generation == 0 || v.Op.IsDelete() && !w.Op.IsDelete() {
		return false
	}
	return v.Compare(w) >= 0
}
