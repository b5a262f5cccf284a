package devnode

import (
	"math"
	"math/bits"
	"slices"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
)

// A ttl is in seconds from now, except for these values (aerospike-client-go,
// write_policy.go, TTLServerDefault, TTLDontExpire, TTLDontUpdate). The default of the
// node's namespaces is never.
const (
	ttlDefault    = 0
	ttlNever      = 0xFFFFFFFF
	ttlDontUpdate = 0xFFFFFFFE

	maxTTL = 10 * 365 * 24 * 60 * 60 // datamodel.h, MAX_ALLOWED_TTL
)

// maxRecord bounds a record, in bytes: the server's default for records in memory.
const maxRecord = 1 << 20

// checkWrite returns the code of a write that is invalid whatever the record is. Operations
// that do not exist, or that are not supported, fail when they are carried out.
func (r *request) checkWrite() Code {
	reads, readsAll := 0, 0
	for i := range r.ops {
		op := &r.ops[i]
		switch {
		case len(op.name) > maxBinName && op.code != opTouch:
			return BinName
		case r.isReplace() && op.isUpdate():
			return Parameter
		case r.isReadAll(op):
			if readsAll++; readsAll > 1 || r.info2&info2RespondAll != 0 {
				return Parameter
			}
		case op.isRead():
			reads++
		}
	}
	switch {
	case len(r.ops) == 0,
		reads+readsAll > 0 && r.info1&info1Read == 0,
		readsAll > 0 && reads > 0,
		readsAll == 0 && r.info1&info1GetAll != 0:
		return Parameter
	}
	return OK
}

// isReadAll reports whether op reads all bins.
func (r *request) isReadAll(op *operation) bool {
	return op.code == opRead && len(op.name) == 0 && r.info1&info1GetAll != 0
}

func (op *operation) isRead() bool {
	switch op.code {
	case opRead, opExpRead, opCDTRead, opBitsRead, opHLLRead:
		return true
	}
	return false
}

// isUpdate reports whether op needs what is there before, so that it cannot be part of a
// replace.
func (op *operation) isUpdate() bool {
	switch op.code {
	case opWrite:
		return op.particle == byte(change.KindNil)
	case opAdd, opAppend, opPrepend, opTouch, opDeleteAll, opCDTWrite, opBitsWrite, opHLLWrite:
		return true
	}
	return false
}

// write writes a record, and adds the results of operations that read to the message.
func (c *connection) write(m *message) {
	r := &c.request
	if m.code = r.checkWrite(); m.code != OK {
		return
	}
	w := writer{connection: c, at: c.node.now()}
	written := c.node.source.Update(c.names.of(r.namespace), r.recordDigest(), func(now *change.Change) (next *change.Change) {
		w.now = now
		if m.code = w.check(); m.code == OK {
			next, m.code = w.apply()
		}
		if m.code != OK && now != nil {
			m.generation, m.voidTime = now.Generation, voidTime(now.Expiry)
		}
		return next
	})
	if m.code == OK && !written.Op.IsDelete() {
		m.generation, m.voidTime = written.Generation, voidTime(written.Expiry)
	}
}

// writer makes the next version of a record from a request.
type writer struct {
	*connection
	at  time.Time
	now *change.Change // nil if the record is absent

	next   change.Change
	memory []byte // room for the values of the request
}

// check returns the code of a write that does not fit the record. The server checks in this
// order.
func (w *writer) check() Code {
	r, now := &w.request, w.now
	switch {
	case now == nil && r.mustExist():
		return NotFound
	case now != nil && r.info2&info2CreateOnly != 0:
		return RecordExists
	case !r.isGeneration(now):
		return GenerationMismatch
	case now == nil && len(r.set) > maxSetName, now != nil && string(r.set) != now.Set:
		return Parameter
	}
	if now != nil {
		if code := w.checkFilter(now, w.at); code != OK {
			return code
		}
	}
	switch {
	case now != nil && !r.isKey(now.Key):
		return KeyMismatch
	case r.key != nil && (now == nil || now.Key.Kind() == change.KindNil) && !isUserKey(r.key):
		return Unsupported
	case r.ttl > maxTTL && r.ttl < ttlDontUpdate:
		return Parameter
	}
	return OK
}

// isUserKey reports whether a user key can be stored. A server stores those of other types too,
// but XDR cannot ship them.
func isUserKey(key []byte) bool {
	const numberSize = 1 + 8
	if len(key) == 0 {
		return false
	}
	switch change.Kind(key[0]) {
	case change.KindNil, change.KindBool, change.KindList, change.KindMap, change.KindGeoJSON:
		return false
	case change.KindInteger, change.KindDouble:
		return len(key) == numberSize
	}
	return true
}

// userKey returns the value of a user key that can be stored.
func (w *writer) userKey() change.Value {
	kind, value := change.Kind(w.request.key[0]), w.keep(w.request.key[1:])
	switch kind {
	case change.KindInteger, change.KindDouble, change.KindString:
		v, _ := parseParticle(kind, value) // isUserKey
		return v
	}
	return change.BytesValue(kind, value)
}

func (r *request) mustExist() bool {
	return r.info3&(info3UpdateOnly|info3ReplaceOnly) != 0 ||
		slices.ContainsFunc(r.ops, func(op operation) bool { return op.code == opTouch })
}

// apply returns the next version of the record.
func (w *writer) apply() (*change.Change, Code) {
	r := &w.request
	w.next.Set = w.names.of(r.set)
	if w.now != nil {
		w.next = *w.now
		w.next.Bins = nil
	}
	w.next.Op, w.next.Expiry = change.Write, w.expiry()
	w.next.LUT = max(w.next.LUT, w.at.UnixMilli()) // for expressions
	w.allocate()
	for i := range r.ops {
		if code := w.do(&r.ops[i]); code != OK {
			return nil, code
		}
	}
	if len(w.next.Bins) == 0 {
		if w.now == nil || r.isReplace() {
			return nil, NotFound
		}
		return xdrtest.Deleted(w.now, r.deleteOp()), OK
	}
	if r.key != nil && w.next.Key.Kind() == change.KindNil { // expressions do not see it before
		w.next.Key = w.userKey()
	}
	if sizeOf(&w.next) > maxRecord {
		return nil, RecordTooBig
	}
	return &w.next, OK
}

// expiry returns the expiry of the next version.
func (w *writer) expiry() int64 {
	switch ttl := w.request.ttl; {
	case ttl == ttlDontUpdate && w.now != nil:
		return w.now.Expiry
	case ttl == ttlDefault, ttl == ttlNever, ttl == ttlDontUpdate:
		return 0
	default:
		return w.at.Unix() + int64(ttl)
	}
}

// allocate makes room for the bins of the next version and the values of the request.
func (w *writer) allocate() {
	r := &w.request
	bins, size := len(r.ops), len(r.key)
	if w.now != nil && !r.isReplace() {
		bins += len(w.now.Bins)
	}
	for i := range r.ops {
		size += len(r.ops[i].value)
	}
	w.next.Bins, w.memory = make([]change.Bin, 0, bins), make([]byte, 0, size)
	if w.now != nil && !r.isReplace() {
		for _, b := range w.now.Bins {
			if b.Value.Kind() != change.KindNil {
				w.next.Bins = append(w.next.Bins, b)
			}
		}
	}
}

// keep copies bytes of the request.
func (w *writer) keep(b []byte) []byte {
	start := len(w.memory)
	w.memory = append(w.memory, b...)
	return w.memory[start:len(w.memory):len(w.memory)]
}

// do carries out an operation.
func (w *writer) do(op *operation) Code {
	switch op.code {
	case opTouch:
		return OK
	case opDeleteAll:
		w.next.Bins = w.next.Bins[:0]
	case opWrite, opAdd, opAppend, opPrepend, opExpWrite:
		if code := w.modify(op); code != OK {
			return code
		}
	case opCDTWrite, opBitsWrite, opHLLWrite:
		return Unsupported
	default:
		return w.read(op)
	}
	if w.request.info2&info2RespondAll != 0 {
		w.answer.bin(op.code, string(op.name), change.Value{})
	}
	return OK
}

func (w *writer) read(op *operation) Code {
	if w.request.isReadAll(op) {
		w.answer.allBins(w.next.Bins)
		return OK
	}
	return w.readBin(op, &w.next, w.at)
}

// modify changes a bin.
func (w *writer) modify(op *operation) Code {
	at := findBin(w.next.Bins, op.name)
	var old, v change.Value
	if at >= 0 {
		old = w.next.Bins[at].Value
	}
	var code Code
	switch op.code {
	case opWrite:
		v, code = w.value(op)
	case opExpWrite:
		v, code = w.writeExpression(old, op)
	default:
		v, code = w.update(old, op)
	}
	if code != OK {
		return code
	}
	switch {
	case v.Kind() == change.KindNil && at >= 0:
		w.next.Bins = slices.Delete(w.next.Bins, at, at+1)
	case v.Kind() == change.KindNil:
	case at >= 0:
		w.next.Bins[at] = change.Bin{Name: w.next.Bins[at].Name, Value: v}
	default:
		w.next.Bins = append(w.next.Bins, change.Bin{Name: w.names.of(op.name), Value: v})
	}
	return OK
}

// update returns the value that add, append and prepend give a bin. A bin that does not exist
// gets the value of the operation, whatever type it has.
func (w *writer) update(old change.Value, op *operation) (change.Value, Code) {
	kind := change.Kind(op.particle)
	switch {
	case !isParticle(kind):
		return change.Value{}, Parameter
	case old.Kind() == change.KindNil:
		return w.value(op)
	case old.Kind() == change.KindGeoJSON:
		return change.Value{}, Unknown
	case old.Kind() != kind:
		return change.Value{}, IncompatibleType
	case op.code == opAdd:
		return add(old, op)
	}
	return w.join(old, op)
}

// value returns the value that an operation writes.
func (w *writer) value(op *operation) (v change.Value, code Code) {
	kind := change.Kind(op.particle)
	switch {
	case len(op.value) > maxRecord:
		return v, RecordTooBig
	case !kind.IsCollection():
		return parseParticle(kind, w.keep(op.value))
	}
	packed, ok := w.repacker.repack(kind, op.value)
	if !ok {
		return change.Value{}, Unknown
	}
	var err error
	if packed = w.keep(packed); kind == change.KindList {
		v, err = change.ListValue(packed)
	} else {
		v, err = change.MapValue(packed)
	}
	if err != nil { // the server takes what is no value of a change, such as strings of unknown types
		v = change.BytesValue(kind, packed)
	}
	return v, OK
}

// add returns the sum of a bin and the value of an operation of the same type. Integers wrap.
func add(old change.Value, op *operation) (change.Value, Code) {
	if old.Kind() != change.KindInteger && old.Kind() != change.KindDouble {
		return change.Value{}, IncompatibleType
	}
	v, code := parseParticle(old.Kind(), op.value)
	switch {
	case code != OK:
		return change.Value{}, code
	case old.Kind() == change.KindInteger:
		return change.IntegerValue(old.Integer() + v.Integer()), OK
	}
	return change.DoubleValue(old.Double() + v.Double()), OK
}

// join returns the value of a bin with that of an operation of the same type behind it, or in
// front.
func (w *writer) join(old change.Value, op *operation) (change.Value, Code) {
	switch kind := old.Kind(); {
	case kind != change.KindString && !isBlob(kind):
		return change.Value{}, IncompatibleType
	case op.code == opAppend:
		return parseParticle(kind, slices.Concat(old.Bytes(), op.value))
	default:
		return parseParticle(kind, slices.Concat(op.value, old.Bytes()))
	}
}

// sizeOf returns how many bytes the server needs for a record in storage (flat.c and
// particle_*.c; tried with 8.0). The cells of GeoJSON are not counted: the node has none.
func sizeOf(c *change.Change) int {
	const header, end, void, block = 35, 4, 4, 16
	size := header + end
	if c.Expiry != 0 {
		size += void
	}
	if c.Set != "" {
		size += 1 + len(c.Set)
	}
	if c.Key.Kind() != change.KindNil {
		n := 1 + len(c.Key.Bytes())
		if c.Key.Kind() == change.KindInteger || c.Key.Kind() == change.KindDouble {
			n = 1 + 8
		}
		size += sizeOfCount(n) + n
	}
	if len(c.Bins) > 0 {
		size += sizeOfCount(len(c.Bins))
	}
	for i := range c.Bins {
		size += 1 + len(c.Bins[i].Name) + sizeOfValue(c.Bins[i].Value)
	}
	return (size + block - 1) / block * block
}

// sizeOfCount returns the size of a count, which has seven bits in a byte.
func sizeOfCount(n int) int { return max(bits.Len(uint(n))+6, 7) / 7 }

// sizeOfValue returns the size of the value of a bin with its type.
func sizeOfValue(v change.Value) int {
	const kind, length, cells = 1, 4, 3
	switch v.Kind() {
	case change.KindInteger:
		switch n := v.Unsigned(); {
		case n <= math.MaxUint8:
			return kind + 1 + 1
		case n <= math.MaxUint16:
			return kind + 1 + 2
		case n <= math.MaxUint32:
			return kind + 1 + 4
		}
		return kind + 1 + 8
	case change.KindDouble:
		return kind + 8
	case change.KindBool:
		return kind + 1
	case change.KindList, change.KindMap:
		return kind + length + max(len(v.Packed()), len(v.Bytes()))
	case change.KindGeoJSON:
		return kind + length + cells + len(v.Bytes())
	}
	return kind + length + len(v.Bytes())
}
