package avro

import (
	"fmt"
	"math"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
)

// avroReader walks data by their schema. It keeps its first fault and then reads
// nothing more, so that the code reads as the schema does.
type avroReader struct {
	whole []byte // for offsets
	rest  []byte
	names *change.Names
	err   error

	base     int  // offset of whole in the request body, or of the block that inflates to whole
	inflated bool // it is the latter

	// spare is how many values may still be read. Nearly every value takes a byte
	// at least, but nulls and records of nothing do not, and a few bytes can
	// announce any number of them.
	spare int

	// text is how many bytes the names of fields and symbols may still take. They
	// stand in the schema once, and in what is read as often as the data want.
	text int
}

// Bounds on the values in bytes that hold changes; more is a bomb. An element that
// takes no bytes counts as many.
const (
	valuesPerByte = 4
	valuesAlways  = 64 << 10
	hollowElement = 64
)

// newAvroReader returns a reader of body, in which names and symbols may take as many
// bytes as text.
func newAvroReader(body []byte, names *change.Names, text int) *avroReader {
	return &avroReader{whole: body, rest: body, names: names, spare: valuesAlways + valuesPerByte*len(body), text: text}
}

// fail keeps an error about what is read next.
func (r *avroReader) fail(detail string, args ...any) {
	if r.err == nil {
		r.err = r.fault(r.position(), detail, args...)
	}
}

// fault is the error of what is at a position in whole.
func (r *avroReader) fault(position int, detail string, args ...any) error {
	if !r.inflated {
		return format.ErrorAt(r.base+position, detail, args...)
	}
	return format.ErrorAt(r.base, "in what the block here inflates to, byte %d: %w", position, fmt.Errorf(detail, args...))
}

// position returns where in whole the reader is.
func (r *avroReader) position() int { return len(r.whole) - len(r.rest) }

// offset returns where in the request body the reader is; of what was inflated, where
// the block is.
func (r *avroReader) offset() int {
	if r.inflated {
		return r.base
	}
	return r.base + r.position()
}

// change reads a datum as a change, whose metadata has the name metadataKey. Unless
// the error is the reader's own, it is of this change alone, and the next can be
// read.
func (r *avroReader) change(t *avroType, metadataKey string, c *change.Change) error {
	var metadata avroMetadata
	at, found, twice := r.position(), false, ""
	r.members(r.branch(t), 1, func(name []byte, of *avroType) {
		if string(name) == metadataKey {
			if found {
				twice = metadataKey
			}
			found = true
			r.metadata(of, &metadata, &twice)
			return
		}
		v := r.value(of)
		if t.kind == avroRecord && v.Kind() == change.KindNil {
			return // as good as no bin: a record has a field for each
		}
		c.Bins = append(c.Bins, change.Bin{Name: r.names.Of(name, format.SlotBins+len(c.Bins)), Value: v})
	})
	if r.err != nil {
		return r.err
	}
	switch {
	case !found:
		return r.fault(at, "there is no metadata %q", metadataKey)
	case twice != "":
		return r.fault(at, "%q is there twice", twice)
	}
	if err := metadata.describe(c, r.names); err != nil {
		return r.fault(at, "%w", err)
	}
	if c.Op.IsDelete() {
		c.Bins = c.Bins[:0]
	}
	return nil
}

// metadata reads the metadata, and a name that they have twice.
func (r *avroReader) metadata(t *avroType, m *avroMetadata, twice *string) {
	t = r.branch(t)
	if !t.isRecordOrMap() {
		r.resolved(t)
		return
	}
	var seen [len(metadataNames)]bool
	r.members(t, 1, func(name []byte, of *avroType) {
		v := r.value(of)
		place := placeOfMetadata(string(name))
		if place < 0 {
			return
		}
		if seen[place] {
			*twice = metadataNames[place]
		}
		m[place], seen[place] = v, true
	})
}

// value reads the value of a bin or of metadata.
func (r *avroReader) value(t *avroType) change.Value { return r.resolved(r.branch(t)) }

// resolved reads a value of the type t, which is no union.
func (r *avroReader) resolved(t *avroType) change.Value {
	kind := change.KindMap
	switch t.kind {
	case avroArray:
		kind = change.KindList
	case avroMap, avroRecord:
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

// pack adds such a value to p.
func (r *avroReader) pack(p *change.Packer, t *avroType, depth int) {
	switch t.kind {
	case avroArray:
		p.Open(change.KindList, change.Unordered)
		r.elements(depth, func() { r.pack(p, r.branch(t.items), depth+1) })
		p.Close()
	case avroMap, avroRecord:
		p.Open(change.KindMap, change.Unordered)
		r.members(t, depth, func(name []byte, of *avroType) {
			p.Add(change.StringValue(name))
			r.pack(p, r.branch(of), depth+1)
		})
		p.Close()
	default:
		p.Add(r.plain(t))
	}
}

// members reads the fields of a record or the entries of a map: each is called to
// read one.
func (r *avroReader) members(t *avroType, depth int, each func(name []byte, of *avroType)) {
	if t.kind == avroMap {
		r.elements(depth, func() { each(r.bytes(), t.items) })
		return
	}
	r.enter(depth)
	for i := range t.fields {
		if r.err != nil {
			return
		}
		each(r.spelt(t.fields[i].name), t.fields[i].of)
	}
}

// elements reads the blocks of an array or a map: each is called to read one
// element. A block that says how many bytes it has must have as many.
func (r *avroReader) elements(depth int, each func()) {
	r.enter(depth)
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
				r.spare -= hollowElement
			}
		}
		if has := r.position() - begin; size >= 0 && int64(has) != size {
			r.fail("a block of %d bytes that says it has %d", has, size)
		}
	}
}

// spelt returns a name or symbol of the schema.
func (r *avroReader) spelt(text string) []byte {
	if r.text -= len(text); r.text < 0 {
		r.fail("%w: names of fields and symbols that take more than the body may inflate to", format.ErrTooLarge)
		return nil
	}
	return []byte(text)
}

func (r *avroReader) enter(depth int) {
	if depth > change.MaxDepth {
		r.fail("%w", format.ErrDepth)
	}
}

// branch begins a value of the type t: of a union it reads the branch.
func (r *avroReader) branch(t *avroType) *avroType {
	if r.spare--; r.spare < 0 {
		r.fail("more values than any change has")
	}
	if t.kind != avroUnion {
		return t
	}
	i := r.long()
	if r.err == nil && (i < 0 || i >= int64(len(t.branches))) {
		r.fail("branch %d of a union of %d", i, len(t.branches))
	}
	if r.err != nil {
		return &avroType{kind: avroNull}
	}
	return t.branches[i]
}
