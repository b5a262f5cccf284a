// Package change holds the noun of Aerosink: one change of one Aerospike record.
//
// Every room on the walk takes or gives a [Change]: xdr decodes one from the
// database's replication stream, route picks its destinations, format writes it
// as bytes and reads it back, and the function's sinks store it. What walks back
// is a verdict, an error; see [Permanent].
//
// The package imports nothing but the standard library, and knows neither the
// wire nor any format. It does define how a list or map is held in memory, see
// [Reader].
package change

import "encoding/base64"

// Op says what happened to the record.
type Op uint8

// The operations that Aerospike replicates. Insert, update and touch are all a
// Write.
const (
	Write         Op = iota
	Delete           // leaves nothing behind
	DurableDelete    // leaves a tombstone
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

// Mode says how a Write's bins relate to the record they belong to.
type Mode uint8

// A write replaces the record or updates some of its bins, depending on the
// bin-policy and write-policy of the database's XDR configuration. Text formats
// do not carry the mode.
const (
	ModeUnknown Mode = iota
	Replace          // the bins are the whole record, unless there are none: then only metadata was shipped
	Update           // the bins are some of the record's; those of KindNil were deleted
)

// ExpiryUnknown stands in [Change.Expiry] when the sender did not say when the
// record expires.
const ExpiryUnknown = -1

// Digest is Aerospike's identity of a record: RIPEMD-160 over set and user key.
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
// Byte slices inside Key and Bins may share memory with whatever the change was
// decoded from; the function that filled the change says for how long they hold.
type Change struct {
	Op   Op
	Mode Mode // of a Write

	Namespace string
	Set       string // "" when the record is in no set
	Digest    Digest
	Key       Value // the user key; KindNil when it is not stored with the record

	Generation uint32 // 0 when unknown; of a delete, the last generation + 1
	LUT        int64  // last update time in Unix milliseconds; 0 when unknown
	Expiry     int64  // Unix seconds; 0 never expires; see ExpiryUnknown. Deletes have none
	SourceID   uint8  // the src-id of the cluster that shipped the change; 0 by default

	BinLUTs bool // the source ships bin LUTs, so each Bin may carry its own
	Bins    []Bin
}

// Bin is a named value of a record.
type Bin struct {
	Name  string
	Value Value // KindNil: the bin was deleted
	LUT   int64 // Unix milliseconds; 0 when it is the record's

	SourceID uint8 // beside LUT
}

// Reset makes c the zero change, keeping the memory of Bins for the next use.
func (c *Change) Reset() {
	clear(c.Bins)
	*c = Change{Bins: c.Bins[:0]}
}
