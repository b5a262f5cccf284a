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

// The flags of a batch that say what is answered if a row fails with another code than
// NotFound and FilteredOut (batch.c, REPORT_*).
const (
	batchRespondAll = 0x04 // all rows
	batchRespondRow = 0x08 // all rows, and the code of the last one that failed
)

// batchRows reads the rows of a batch.
type batchRows struct {
	rest  []byte
	flags byte
	left  uint32 // rows that are to come
	index uint32 // of the row that next returned last
	begun bool   // there was a row
}

// begin reads the header of the batch. It returns the number of rows that it says.
func (b *batchRows) begin() (count int, ok bool) {
	const header = 5
	if len(b.rest) < header {
		return 0, false
	}
	b.left, b.flags = binary.BigEndian.Uint32(b.rest), b.rest[4]
	b.rest = b.rest[header:]
	return int(b.left), b.left > 0
}

// next reads a row into r, which must be the row before. It returns false at the end, and
// when a row is malformed: then there are rows left. A row with a user key cannot be
// repeated.
func (b *batchRows) next(r *request) bool {
	const head = 4 + digestSize
	if b.left == 0 || len(b.rest) <= head {
		return false
	}
	b.index, r.digest = binary.BigEndian.Uint32(b.rest), b.rest[4:head:head]
	flags := b.rest[head]
	b.rest = b.rest[head+1:]
	switch {
	case flags&rowRepeat == 0:
		if !b.parse(flags, r) {
			return false
		}
	case !b.begun || r.key != nil:
		return false
	}
	b.begun = true
	b.left--
	return true
}

// parse reads what follows the flags of a row.
func (b *batchRows) parse(flags byte, r *request) bool {
	*r = request{digest: r.digest, isRow: true, ops: r.ops[:0]}
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
//
// If a row is malformed or its namespace is unknown, those in front of it are carried out, and
// only a code is answered. If a row fails otherwise, the others are carried out too, and the
// flags of the batch say whether they are answered. What was sent before stays sent.
func (c *connection) batch(faults map[int]Code) {
	rows := batchRows{rest: c.request.batch}
	filter := c.request.filter
	if _, ok := rows.begin(); !ok || c.filter.compile(filter) != OK {
		c.answer.last(Parameter)
		return
	}
	code, malformed := OK, false
	for rows.next(&c.request) {
		if !c.node.hasNamespace(c.request.namespace) {
			malformed = true
			break
		}
		failed := c.row(&rows, filter, faults)
		if failed != OK && failed != NotFound && failed != FilteredOut && rows.flags&batchRespondAll == 0 {
			code = failed
		}
	}
	if malformed = malformed || rows.left > 0; malformed {
		code = Parameter
	}
	if malformed || code != OK && rows.flags&batchRespondRow == 0 {
		c.answer.reset()
	}
	c.answer.last(code)
}

// row carries out a row and answers it.
func (c *connection) row(rows *batchRows, filter []byte, faults map[int]Code) Code {
	r := &c.request
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
	return code
}
