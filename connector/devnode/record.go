package devnode

import (
	"bytes"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/xdr"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
)

// record carries out the request for one record, and answers it. The index is that of the
// row of a batch.
func (c *connection) record(index uint32) Code {
	r := &c.request
	m := message{index: index}
	c.answer.message(m)
	c.filterCode = c.filter.compile(r.filter)
	switch {
	case !r.isWrite():
		c.read(&m)
	case r.info2&info2Delete != 0:
		m.code = c.delete()
	default:
		c.write(&m)
	}
	c.answer.set(m)
	return m.code
}

func (r *request) recordDigest() change.Digest { return change.Digest(r.digest) }

// checkFilter returns the code of the filter for a record. The filter of a request for an
// absent record is not looked at, even if it is broken.
func (c *connection) checkFilter(now *change.Change, at time.Time) Code {
	if c.filterCode != OK {
		return c.filterCode
	}
	return codeIf(!c.filter.matches(now, at), FilteredOut)
}

// read reads a record and adds what is asked for to the message.
func (c *connection) read(m *message) {
	r, at := &c.request, c.node.now()
	now := c.node.source.Get(c.names.of(r.namespace), r.recordDigest())
	if now == nil {
		m.code = NotFound
		return
	}
	m.generation, m.voidTime = now.Generation, voidTime(now.Expiry)
	if !r.isSet(now.Set) {
		m.code = Parameter
		return
	}
	if m.code = c.checkFilter(now, at); m.code != OK {
		return
	}
	switch {
	case !r.isKey(now.Key):
		m.code = KeyMismatch
	case r.info1&info1NoBins == 0:
		m.code = c.readBins(now, at)
	}
}

// isSet reports whether the record of a read or a delete may be in set. These requests need
// not name it.
func (r *request) isSet(set string) bool { return len(r.set) == 0 || string(r.set) == set }

// isKey reports whether the user key of a record may be key: one of them is not stored or
// not sent, or both are the same.
func (r *request) isKey(key change.Value) bool {
	return r.key == nil || key.Kind() == change.KindNil ||
		len(r.key) > 0 && r.key[0] == byte(key.Kind()) && bytes.Equal(r.key[1:], xdr.AppendParticle(nil, key))
}

// readBins adds bins to the message.
func (c *connection) readBins(now *change.Change, at time.Time) Code {
	r := &c.request
	if r.info1&info1GetAll != 0 {
		c.answer.allBins(now.Bins)
		return OK
	}
	if len(r.ops) == 0 {
		return Parameter
	}
	for i := range r.ops {
		op := &r.ops[i]
		if len(op.name) > maxBinName {
			return BinName
		}
		if code := c.readBin(op, now, at); code != OK {
			return code
		}
	}
	return OK
}

// readBin adds the result of an operation that reads to the message.
func (c *connection) readBin(op *operation, now *change.Change, at time.Time) Code {
	if len(c.answer.buf)-c.answer.at > maxMessage {
		return RecordTooBig
	}
	r := &c.request
	var v change.Value
	always := r.info2&info2RespondAll != 0 // also nil
	switch op.code {
	case opRead:
		if i := findBin(now.Bins, op.name); i >= 0 {
			v = now.Bins[i].Value
		}
	case opExpRead:
		var code Code
		if v, code = c.evaluate(op, now, at); code != OK {
			return code
		}
		always = always || r.isWrite()
	case opCDTRead, opBitsRead, opHLLRead:
		return Unsupported
	default:
		return Parameter
	}
	if v.Kind() == change.KindNil && !always {
		return OK
	}
	code := op.code
	if r.isRow && !r.isWrite() {
		code = opRead // whatever it is
	}
	c.answer.bin(code, string(op.name), v)
	return OK
}

// allBins adds bins that are not deleted to the message.
func (a *answer) allBins(bins []change.Bin) {
	for i := range bins {
		if bins[i].Value.Kind() != change.KindNil {
			a.bin(opRead, bins[i].Name, bins[i].Value)
		}
	}
}

// findBin returns the index of a bin, -1 if there is none of that name.
func findBin(bins []change.Bin, name []byte) int {
	for i := range bins {
		if bins[i].Name == string(name) {
			return i
		}
	}
	return -1
}

// delete deletes a record. Its answers have no generation.
func (c *connection) delete() (code Code) {
	r, at := &c.request, c.node.now()
	c.node.source.Update(c.names.of(r.namespace), r.recordDigest(), func(now *change.Change) *change.Change {
		if code = c.checkDelete(now, at); code != OK {
			return nil
		}
		return xdrtest.Deleted(now, r.deleteOp())
	})
	return code
}

// checkDelete returns the code of a delete that does not fit the record. The server checks in
// this order.
func (c *connection) checkDelete(now *change.Change, at time.Time) Code {
	r := &c.request
	switch {
	case now == nil:
		return NotFound
	case !r.isSet(now.Set):
		return Parameter
	case !r.isGeneration(now):
		return GenerationMismatch
	}
	if code := c.checkFilter(now, at); code != OK {
		return code
	}
	return codeIf(!r.isKey(now.Key), KeyMismatch)
}

// deleteOp returns how the record is deleted, if it is.
func (r *request) deleteOp() change.Op {
	if r.info2&info2Durable != 0 {
		return change.DurableDelete
	}
	return change.Delete
}

// isGeneration reports whether the record has the generation that the request wants. An
// absent record, nil, has 0. The comparison does not know that generations wrap: neither does
// the server's.
func (r *request) isGeneration(now *change.Change) bool {
	switch {
	case r.info2&info2Generation != 0:
		return now == nil && r.generation == 0 || now != nil && r.generation == now.Generation
	case r.info2&info2GenerationLater != 0:
		return now == nil && r.generation > 0 || now != nil && r.generation > now.Generation
	}
	return true
}
