// Package change defines a [Change] of an Aerospike record, its values, and the verdict on
// it.
//
// The other packages pass changes on in one direction: xdr decodes a change from the
// replication stream, route chooses its destinations, format encodes and parses it, and
// the sinks of the function store it. Only a verdict comes back, as an error: see
// [Permanent].
//
// The package imports only the standard library, and knows neither the wire nor any format.
// It defines how a list or map is kept in memory, see [Reader].
package change

import "encoding/base64"

// Op is the operation that made a change.
type Op uint8

// The operations that Aerospike replicates. Inserts, updates and touches are writes.
const (
	Write         Op = iota
	Delete           // without a tombstone
	DurableDelete    // with a tombstone
)

// String returns "write", "delete" or "durable-delete".
func (o Op) String() string {
	switch o {
	case Write:
		return "write"
	case Delete:
		return "delete"
	case DurableDelete:
		return "durable-delete"
	}
	return "unknown"
}

// IsDelete reports whether the record is gone after the change.
func (o Op) IsDelete() bool { return o == Delete || o == DurableDelete }

// Mode says whether the bins of a write are all bins of the record.
type Mode uint8

// A write replaces the record or updates some of its bins, depending on the
// bin-policy and write-policy of the database's XDR configuration. Text formats
// do not carry the mode.
const (
	ModeUnknown Mode = iota
	Replace          // all bins of the record; or none, if only metadata was shipped
	Update           // some bins of the record; those of KindNil were deleted
)

// ExpiryUnknown is the [Change.Expiry] of a change whose sender did not say when the record
// expires.
const ExpiryUnknown = -1

// Digest identifies a record in Aerospike: the RIPEMD-160 hash of set and user key.
type Digest [20]byte

// String returns the digest in Base64, as Aerospike's own formats and tools do.
func (d Digest) String() string { return base64.StdEncoding.EncodeToString(d[:]) }

// Partitions is the number of partitions of an Aerospike namespace.
const Partitions = 4096

// Partition returns the record's Aerospike partition, 0 to 4095.
func (d Digest) Partition() int {
	return (int(d[0]) | int(d[1])<<8) & (Partitions - 1)
}

// Change is one change notification. The zero value is a write of an unnamed
// record without bins.
//
// Byte slices in Key and Bins may share memory with the input that the change was decoded
// from. The function that decoded it says how long they are valid.
type Change struct {
	Op   Op
	Mode Mode // of a Write

	Namespace string
	Set       string // "" if the record is in no set
	Digest    Digest
	Key       Value // the user key; KindNil if it is not stored with the record

	Generation uint32 // 0 if unknown; of a delete, the last generation + 1
	LUT        int64  // last update time in Unix milliseconds; 0 if unknown; see CheckTimes
	Expiry     int64  // Unix seconds; 0 never expires; see ExpiryUnknown. Deletes have none
	SourceID   uint8  // the src-id of the cluster that shipped the change; 0 by default

	BinLUTs bool  // the source ships bin LUTs, so each Bin may carry its own
	Bins    []Bin // no two have the same name: see Names.DuplicateBin
}

// Bin is a named value of a record.
type Bin struct {
	Name  string
	Value Value // KindNil: the bin was deleted
	LUT   int64 // Unix milliseconds; 0 if it is that of the record

	SourceID uint8 // goes with LUT
}

// Reset sets c to the zero value, but keeps the capacity of Bins.
func (c *Change) Reset() {
	clear(c.Bins)
	*c = Change{Bins: c.Bins[:0]}
}
