package avro

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/plural"
)

// reader reads data by their schema. After its first error, which it keeps, it reads
// nothing more, so that callers need not check each step.
type reader struct {
	whole []byte // for offsets
	rest  []byte
	names *change.Names
	err   error

	base     int  // offset of whole in the request body, or of the compressed block
	inflated bool // whole is what a block inflated to

	// valuesLeft is how many values may still be read. Nulls and empty records take no
	// bytes, so a few bytes can announce any number of them.
	valuesLeft int

	// schemaTextLeft is how many bytes the names of fields and symbols may still take. They
	// are in the schema once, but the data may repeat them any number of times.
	schemaTextLeft int
}

// newReader returns a reader of body, in which names and symbols may take schemaText
// bytes.
func newReader(body []byte, names *change.Names, schemaText int) *reader {
	return &reader{whole: body, rest: body, names: names, valuesLeft: minValues + valuesPerByte*len(body), schemaTextLeft: schemaText}
}

// Limits of the number of values in a body: a fixed number, and more per byte. They
// bound the memory for a body that announces any number of empty values. An element that
// takes no bytes counts as emptyElementCost values.
const (
	valuesPerByte    = 4
	minValues        = 64 << 10
	emptyElementCost = 64
)

// change reads a datum as a change, whose metadata has the name metadataKey. If it returns
// an error and r.err is nil, the error concerns only this change, and the next can be read.
func (r *reader) change(t *schemaType, metadataKey string, c *change.Change) error {
	var metadata metadata
	at, found, twice := r.position(), false, ""
	r.members(r.branch(t), 1, func(name []byte, of *schemaType) {
		if string(name) == metadataKey {
			if found {
				twice = metadataKey
			}
			found = true
			r.metadata(of, &metadata, &twice)
			return
		}
		v := r.value(of)
		if t.kind == kindRecord && v.Kind() == change.KindNil {
			return // the record does not have this bin
		}
		c.Bins = append(c.Bins, change.Bin{Name: r.names.Of(name, change.SlotBins+len(c.Bins)), Value: v})
	})
	if r.err != nil {
		return r.err
	}
	switch {
	case !found:
		return r.errorAt(at, "missing metadata %q", metadataKey)
	case twice != "":
		return r.errorAt(at, "duplicate %q", twice)
	}
	if err := metadata.fill(c, r.names); err != nil {
		return r.errorAt(at, "%w", err)
	}
	if c.Op.IsDelete() {
		c.Bins = c.Bins[:0]
	}
	return nil
}

// metadata reads the metadata. It sets twice to a name that occurs twice.
func (r *reader) metadata(t *schemaType, m *metadata, twice *string) {
	t = r.branch(t)
	if !t.isRecordOrMap() {
		r.resolved(t)
		return
	}
	var seen [len(metadataNames)]bool
	r.members(t, 1, func(name []byte, of *schemaType) {
		v := r.value(of)
		i := metadataIndex(string(name))
		if i < 0 {
			return
		}
		if seen[i] {
			*twice = metadataNames[i]
		}
		m[i], seen[i] = v, true
	})
}

// members reads the fields of a record or the entries of a map, and calls each to read
// one value.
func (r *reader) members(t *schemaType, depth int, each func(name []byte, of *schemaType)) {
	if t.kind == kindMap {
		r.elements(depth, func() { each(r.bytes(), t.items) })
		return
	}
	r.checkDepth(depth)
	for i := range t.fields {
		if r.err != nil {
			return
		}
		each(r.schemaText(t.fields[i].name), t.fields[i].of)
	}
}

// elements reads the blocks of an array or a map, and calls each to read one element. A
// block that announces its size must have that size.
func (r *reader) elements(depth int, each func()) {
	r.checkDepth(depth)
	for r.err == nil {
		n, size := r.long(), int64(-1)
		if n < 0 {
			size = r.long()
			if n == math.MinInt64 || size < 0 || size > int64(len(r.rest)) {
				r.fail("a block of %d elements in %d bytes, %d are left", n, size, len(r.rest))
				return
			}
			n = -n
		}
		if n == 0 {
			return
		}
		begin := r.position()
		for ; n > 0 && r.err == nil; n-- {
			left := len(r.rest)
			if each(); len(r.rest) == left {
				r.valuesLeft -= emptyElementCost
			}
		}
		if has := r.position() - begin; size >= 0 && int64(has) != size {
			r.fail("a block of %d bytes that says it has %d", has, size)
		}
	}
}

// value reads the value of a bin or of metadata.
func (r *reader) value(t *schemaType) change.Value { return r.resolved(r.branch(t)) }

// branch begins a value of type t. It returns t, or the branch of a union.
func (r *reader) branch(t *schemaType) *schemaType {
	if r.valuesLeft--; r.valuesLeft < 0 {
		r.fail("more values than any change has")
	}
	if t.kind != kindUnion {
		return t
	}
	i := r.long()
	if r.err == nil && (i < 0 || i >= int64(len(t.branches))) {
		r.fail("branch %d of a union of %d", i, len(t.branches))
	}
	if r.err != nil {
		return &schemaType{kind: kindNull}
	}
	return t.branches[i]
}

// resolved reads a value of type t, which is not a union.
func (r *reader) resolved(t *schemaType) change.Value {
	kind := change.KindMap
	switch t.kind {
	case kindArray:
		kind = change.KindList
	case kindMap, kindRecord:
	default:
		return r.plain(t)
	}
	var p change.Packer
	r.pack(&p, t, 1)
	if r.err != nil {
		return change.Value{}
	}
	v, err := p.Value(kind)
	if err != nil {
		r.fail("%w", err)
	}
	return v
}

// pack adds a value of type t, which is not a union, to p.
func (r *reader) pack(p *change.Packer, t *schemaType, depth int) {
	switch t.kind {
	case kindArray:
		p.Open(change.KindList, change.Unordered)
		r.elements(depth, func() { r.pack(p, r.branch(t.items), depth+1) })
		p.Close()
	case kindMap, kindRecord:
		p.Open(change.KindMap, change.Unordered)
		r.members(t, depth, func(name []byte, of *schemaType) {
			p.Add(change.StringValue(name))
			r.pack(p, r.branch(of), depth+1)
		})
		p.Close()
	default:
		p.Add(r.plain(t))
	}
}

// plain reads a value that is neither a union nor a collection.
func (r *reader) plain(t *schemaType) change.Value {
	switch t.kind {
	case kindBoolean:
		b := r.take(1)
		if r.err == nil && b[0] > 1 {
			r.fail("a boolean that is neither 0 nor 1")
		}
		return change.BoolValue(r.err == nil && b[0] == 1)
	case kindInt, kindLong:
		i := r.long()
		if t.kind == kindInt && int64(int32(i)) != i {
			r.fail("an int of more than 32 bits")
		}
		return change.IntegerValue(i)
	case kindFloat:
		if b := r.take(4); r.err == nil {
			return change.DoubleValue(float64(math.Float32frombits(binary.LittleEndian.Uint32(b))))
		}
	case kindDouble:
		if b := r.take(8); r.err == nil {
			return change.DoubleValue(math.Float64frombits(binary.LittleEndian.Uint64(b)))
		}
	case kindString:
		return change.StringValue(r.bytes())
	case kindEnum:
		i := r.long()
		if r.err == nil && i >= 0 && i < int64(len(t.symbols)) {
			return change.StringValue(r.schemaText(t.symbols[i]))
		}
		r.fail("symbol %d of an enum of %d", i, len(t.symbols))
	case kindBytes:
		return change.BytesValue(change.KindBlob, r.bytes())
	case kindFixed:
		return change.BytesValue(change.KindBlob, r.take(t.size))
	}
	return change.Value{}
}

// long reads an integer.
func (r *reader) long() int64 {
	if r.err != nil {
		return 0
	}
	i, n := binary.Varint(r.rest)
	switch {
	case n == 0:
		r.fail("unexpected end of data")
	case n < 0:
		r.fail("an integer of more than 64 bits")
	default:
		r.rest = r.rest[n:]
	}
	return i
}

// bytes reads a length and that many bytes.
func (r *reader) bytes() []byte {
	n := r.long()
	if n < 0 || n > int64(len(r.rest)) {
		r.fail("%s announced, %d left", plural.Of(int(n), "byte"), len(r.rest))
		return nil
	}
	return r.take(int(n))
}

// take reads n bytes, which share the body's memory.
func (r *reader) take(n int) []byte {
	if r.err != nil {
		return nil
	}
	if n > len(r.rest) {
		r.fail("%s announced, %d left", plural.Of(n, "byte"), len(r.rest))
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

// schemaText returns a name or symbol of the schema as bytes of its own.
func (r *reader) schemaText(text string) []byte {
	if r.schemaTextLeft -= len(text); r.schemaTextLeft < 0 {
		r.fail("%w: names of fields and symbols that take more than the body may inflate to", format.ErrTooLarge)
		return nil
	}
	return []byte(text)
}

func (r *reader) checkDepth(depth int) {
	if depth > change.MaxDepth {
		r.fail("%w", format.ErrDepth)
	}
}

// position returns the position of r in whole.
func (r *reader) position() int { return len(r.whole) - len(r.rest) }

// offset returns the position of r in the request body; inside a compressed block, the
// offset of the block.
func (r *reader) offset() int {
	if r.inflated {
		return r.base
	}
	return r.base + r.position()
}

// fail keeps an error about what is read next, if it is the first.
func (r *reader) fail(detail string, args ...any) {
	if r.err == nil {
		r.err = r.errorAt(r.position(), detail, args...)
	}
}

// errorAt returns an error about a position in whole.
func (r *reader) errorAt(position int, detail string, args ...any) error {
	if !r.inflated {
		return format.ErrorAt(r.base+position, detail, args...)
	}
	return format.ErrorAt(r.base, "in what the block here inflates to, byte %d: %w", position, fmt.Errorf(detail, args...))
}
