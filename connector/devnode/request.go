package devnode

import (
	"encoding/binary"

	"github.com/aerosink/aerosink/connector/change"
)

// The bits of the info bytes of a request (proto.h, AS_MSG_INFO1_*, AS_MSG_INFO2_*,
// AS_MSG_INFO3_*).
const (
	info1Read   = 0x01
	info1GetAll = 0x02
	info1Batch  = 0x08
	info1NoBins = 0x20

	info2Write           = 0x01
	info2Delete          = 0x02
	info2Generation      = 0x04
	info2GenerationLater = 0x08
	info2Durable         = 0x10
	info2CreateOnly      = 0x20
	info2RespondAll      = 0x80

	info3Last        = 0x01
	info3Done        = 0x04 // of a scan: messages about partitions are understood
	info3UpdateOnly  = 0x08
	info3Replace     = 0x10 // create or replace
	info3ReplaceOnly = 0x20
)

// The types of fields (proto.h, AS_MSG_FIELD_TYPE_*).
const (
	fieldNamespace   = 0
	fieldSet         = 1
	fieldKey         = 2
	fieldDigest      = 4
	fieldTransaction = 5
	fieldTimeout     = 9
	fieldRate        = 10
	fieldPartitions  = 11
	fieldDigests     = 12
	fieldMaxRecords  = 13
	fieldIndexRange  = 22
	fieldUDF         = 30 // the package; 31 is the function, 32 its arguments
	fieldBatch       = 41
	fieldBatchSimple = 42 // without sets in the rows, in older clients
	fieldFilter      = 43
)

// The operations on bins (proto.h, AS_MSG_OP_*).
const (
	opRead      = 1
	opWrite     = 2
	opCDTRead   = 3
	opCDTWrite  = 4
	opAdd       = 5
	opExpRead   = 7
	opExpWrite  = 8
	opAppend    = 9
	opPrepend   = 10
	opTouch     = 11
	opBitsRead  = 12
	opBitsWrite = 13
	opDeleteAll = 14
	opHLLRead   = 15
	opHLLWrite  = 16
)

// Limits of names in bytes (datamodel.h, AS_SET_NAME_MAX_SIZE and AS_BIN_NAME_MAX_SZ,
// without the terminator).
const (
	maxSetName = 63
	maxBinName = 15
)

const (
	messageHeader = 22
	digestSize    = len(change.Digest{})
)

// request is a request for records, or a row of a batch. Its slices share the memory of the
// message. A field that the message does not have is nil.
type request struct {
	info1, info2, info3 byte
	generation, ttl     uint32

	namespace, set, key, digest, filter []byte

	batch                                          []byte // the rows
	timeout, rate, partitions, digests, maxRecords []byte // of a scan
	hasTransaction, hasUDF, hasIndex               bool

	isRow bool // of a batch

	ops []operation
}

// operation is an operation on a bin.
type operation struct {
	code, particle byte
	name, value    []byte
}

// parse reads the body of a message.
func (r *request) parse(b []byte) Code {
	*r = request{ops: r.ops[:0]}
	if len(b) < messageHeader {
		return Parameter
	}
	r.info1, r.info2, r.info3 = b[1], b[2], b[3]
	r.generation, r.ttl = binary.BigEndian.Uint32(b[6:]), binary.BigEndian.Uint32(b[10:])
	fields, ops := int(binary.BigEndian.Uint16(b[18:])), int(binary.BigEndian.Uint16(b[20:]))
	b = b[messageHeader:]
	var ok bool
	if b, ok = r.parseFields(b, fields); !ok {
		return Parameter
	}
	if b, ok = r.parseOps(b, ops); !ok || len(b) > 0 {
		return Parameter
	}
	return OK
}

// parseFields reads n fields. It returns the rest of b, and false if they are malformed.
func (r *request) parseFields(b []byte, n int) ([]byte, bool) {
	const head = 5
	for range n {
		if len(b) < head {
			return nil, false
		}
		size := uint64(binary.BigEndian.Uint32(b))
		rest := uint64(len(b) - 4)
		if b[4] == fieldBatch || b[4] == fieldBatchSimple { // version 7 of the Go client adds the size of a filter
			size = min(size, rest)
		}
		if size == 0 || size > rest {
			return nil, false
		}
		end := 4 + int(size)
		r.setField(b[4], b[head:end:end])
		b = b[end:]
	}
	return b, true
}

// setField keeps a field that is needed. If there are several of a type, the first counts.
func (r *request) setField(id byte, data []byte) {
	var kept *[]byte
	switch id {
	case fieldNamespace:
		kept = &r.namespace
	case fieldSet:
		kept = &r.set
	case fieldKey:
		kept = &r.key
	case fieldDigest:
		kept = &r.digest
	case fieldTimeout:
		kept = &r.timeout
	case fieldRate:
		kept = &r.rate
	case fieldPartitions:
		kept = &r.partitions
	case fieldDigests:
		kept = &r.digests
	case fieldMaxRecords:
		kept = &r.maxRecords
	case fieldBatch, fieldBatchSimple:
		kept = &r.batch
	case fieldFilter:
		kept = &r.filter
	case fieldTransaction:
		r.hasTransaction = true
	case fieldIndexRange:
		r.hasIndex = true
	case fieldUDF:
		r.hasUDF = true
	}
	if kept != nil && *kept == nil {
		*kept = data
	}
}

// parseOps reads n operations. It returns the rest of b, and false if they are malformed.
func (r *request) parseOps(b []byte, n int) ([]byte, bool) {
	const head, inSize = 8, 4
	for range n {
		if len(b) < head {
			return nil, false
		}
		size, name := binary.BigEndian.Uint32(b), int(b[7])
		if uint64(size) > uint64(len(b)-4) || uint64(size) < uint64(inSize+name) {
			return nil, false
		}
		end := 4 + int(size)
		at := head + name
		r.ops = append(r.ops, operation{code: b[4], particle: b[5], name: b[head:at:at], value: b[at:end:end]})
		b = b[end:]
	}
	return b, true
}

func (r *request) isBatch() bool { return r.info1&info1Batch != 0 }

func (r *request) isScan() bool { return !r.isBatch() && r.digest == nil }

func (r *request) isWrite() bool { return r.info2&info2Write != 0 }

// isReplace reports whether the bins of a write are all bins of the record.
func (r *request) isReplace() bool { return r.info3&(info3Replace|info3ReplaceOnly) != 0 }

// check returns the code of a request for a record that is invalid whatever the record is.
func (r *request) check() Code {
	switch {
	case r.hasTransaction:
		return EnterpriseOnly
	case len(r.digest) != digestSize, r.info1&info1Read == 0 && !r.isWrite():
		return Parameter
	case !r.isWrite() || r.info2&info2Delete != 0:
		return OK
	case r.hasUDF:
		return Unsupported
	}
	return OK
}

// describe describes r for a fault.
func (r *request) describe() Command {
	c := Command{Namespace: string(r.namespace), Set: string(r.set), Writes: r.isWrite()}
	switch {
	case r.isBatch():
		c.Kind = Batch
		rows := batchRows{rest: r.batch}
		var first request
		if c.Rows, _ = rows.begin(); rows.next(&first) {
			c.Namespace, c.Set, c.Writes = string(first.namespace), string(first.set), first.isWrite()
		}
	case r.isScan():
		c.Kind = Scan
	case r.isWrite():
		c.Kind = Write
	default:
		c.Kind = Read
	}
	return c
}
