package devnode

import "encoding/binary"

// The flags of a row of a batch (proto.h, BATCH_ROW_*; recorded from clients).
const (
	rowRepeat     = 0x01 // as the row before, with another digest
	rowInfo       = 0x02 // info1, info2 and info3; else only info1
	rowGeneration = 0x04 // 16 bits
	rowTTL        = 0x08
	rowInfo4      = 0x10
)

// batchRespondAll is the flag of a batch that goes on after a row fails.
const batchRespondAll = 0x04

// batchRows reads the rows of a batch.
type batchRows struct {
	rest       []byte
	left       uint32 // rows that are to come
	respondAll bool
	index      uint32 // of the row that next returned last
}

// begin reads the header of the batch. It returns the number of rows.
func (b *batchRows) begin() (count int, ok bool) {
	const header, smallestRow = 5, 4 + digestSize + 1
	if len(b.rest) < header {
		return 0, false
	}
	b.left, b.respondAll = binary.BigEndian.Uint32(b.rest), b.rest[4]&batchRespondAll != 0
	b.rest = b.rest[header:]
	return int(b.left), uint64(b.left) <= uint64(len(b.rest)/smallestRow)
}

// next reads a row into r, which must be the row before. It returns false at the end, and
// when a row is malformed: then there are rows left.
func (b *batchRows) next(r *request) bool {
	const head = 4 + digestSize
	if b.left == 0 || len(b.rest) <= head {
		return false
	}
	b.index, r.digest = binary.BigEndian.Uint32(b.rest), b.rest[4:head:head]
	flags := b.rest[head]
	b.rest = b.rest[head+1:]
	if flags&rowRepeat == 0 && !b.parse(flags, r) {
		return false
	}
	b.left--
	return true
}

// parse reads what follows the flags of a row.
func (b *batchRows) parse(flags byte, r *request) bool {
	*r = request{digest: r.digest, ops: r.ops[:0]}
	at, ok := b.rest, true
	take := func(present bool, n int) []byte {
		if !present {
			return make([]byte, n)
		}
		if ok = ok && len(at) >= n; !ok {
			return make([]byte, n)
		}
		taken := at[:n]
		at = at[n:]
		return taken
	}
	r.info1 = take(true, 1)[0]
	info := take(flags&rowInfo != 0, 2)
	r.info2, r.info3 = info[0], info[1]
	take(flags&rowInfo4 != 0, 1)
	r.generation = uint32(binary.BigEndian.Uint16(take(flags&rowGeneration != 0, 2)))
	r.ttl = binary.BigEndian.Uint32(take(flags&rowTTL != 0, 4))
	counts := take(true, 4)
	if !ok {
		return false
	}
	if at, ok = r.parseFields(at, int(binary.BigEndian.Uint16(counts))); ok {
		b.rest, ok = r.parseOps(at, int(binary.BigEndian.Uint16(counts[2:])))
	}
	return ok
}

// batch answers the rows of a batch one after the other. Rows of the map are not carried
// out.
func (c *connection) batch(faults map[int]Code) {
	rows := batchRows{rest: c.request.batch}
	filter := c.request.filter
	if count, ok := rows.begin(); !ok || count == 0 {
		c.answer.last(Parameter)
		return
	}
	code := OK
	for rows.next(&c.request) {
		if code = c.row(&rows, filter, faults); code != OK {
			break
		}
	}
	if code == OK && rows.left > 0 {
		code = Parameter
	}
	c.answer.last(code)
}

// row answers a row. The code is not OK if the batch ends with it.
func (c *connection) row(rows *batchRows, filter []byte, faults map[int]Code) Code {
	r := &c.request
	if !c.node.hasNamespace(r.namespace) {
		return Parameter
	}
	own := r.filter
	if own == nil {
		r.filter = filter
	}
	code, failed := faults[int(rows.index)]
	if !failed {
		code = r.check()
	}
	if failed || code != OK {
		c.answer.message(message{code: code, index: rows.index})
	} else {
		code = c.record(rows.index)
	}
	r.filter = own
	if rows.respondAll || code == NotFound || code == FilteredOut {
		return OK
	}
	return code
}
