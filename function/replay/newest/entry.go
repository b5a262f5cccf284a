package newest

import (
	"bytes"
	"cmp"
	"encoding/binary"

	"github.com/aerosink/aerosink/connector/change"
)

// entry is what the index has of a change.
type entry struct {
	digest     change.Digest
	name       uint32 // of namespace and set, in names
	lut        int64
	expiry     int64
	generation uint32
	object     uint32 // its number in the list of objects
	ordinal    uint32 // of the change in the object, from 0
	op         change.Op
	mode       change.Mode // of a write; never ModeUnknown
}

// entryBytes is the size of an entry in a spill file.
const entryBytes = 48

// Both times are stored with fewer bytes: change.EndOfTime has 48 bits in milliseconds, and
// 38 in seconds.
const (
	lutBytes    = 6
	expiryBytes = 5
)

// append appends the entry to dst.
func (e *entry) append(dst []byte) []byte {
	dst = append(dst, e.digest[:]...)
	dst = binary.LittleEndian.AppendUint32(dst, e.name)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(e.lut)) // CheckTimes has refused negative times
	dst = dst[:len(dst)-8+lutBytes]
	dst = binary.LittleEndian.AppendUint64(dst, uint64(e.expiry-change.ExpiryUnknown))
	dst = dst[:len(dst)-8+expiryBytes]
	dst = binary.LittleEndian.AppendUint32(dst, e.generation)
	dst = binary.LittleEndian.AppendUint32(dst, e.object)
	dst = binary.LittleEndian.AppendUint32(dst, e.ordinal)
	return append(dst, byte(e.op)<<4|byte(e.mode))
}

// parseEntry parses an entry of entryBytes.
func parseEntry(b []byte) entry {
	var wide [8]byte
	e := entry{digest: change.Digest(b), name: binary.LittleEndian.Uint32(b[20:])}
	copy(wide[:lutBytes], b[24:])
	e.lut = int64(binary.LittleEndian.Uint64(wide[:]))
	clear(wide[:])
	copy(wide[:expiryBytes], b[30:])
	e.expiry = int64(binary.LittleEndian.Uint64(wide[:])) + change.ExpiryUnknown
	e.generation = binary.LittleEndian.Uint32(b[35:])
	e.object = binary.LittleEndian.Uint32(b[39:])
	e.ordinal = binary.LittleEndian.Uint32(b[43:])
	e.op, e.mode = change.Op(b[47]>>4), change.Mode(b[47]&15)
	return e
}

// version returns the version that the change made.
func (e *entry) version() change.Version {
	return change.Version{LUT: e.lut, Generation: e.generation, Op: e.op}
}

// isBase reports whether the state of the record after the change does not depend on changes
// before it.
func (e *entry) isBase() bool { return e.op.IsDelete() || e.mode == change.Replace }

// compareRecords orders records by partition ascending, and in it by digest descending, as
// Aerospike's scans return them.
func compareRecords(a, b *change.Digest) int {
	if c := cmp.Compare(a.Partition(), b.Partition()); c != 0 {
		return c
	}
	return bytes.Compare(b[:], a[:])
}
