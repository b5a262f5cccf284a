package msgpack

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/tinylib/msgp/msgp"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/plural"
)

// reader reads one change after another. After its first error, which it keeps, it reads
// nothing more, so that callers need not check each step.
type reader struct {
	rest  []byte
	end   int // offset of the end of rest in the request body
	names *change.Names
	bins  bool // read the bins too
	err   error
}

// changeCount reads the head of an array of changes, and returns its length; 1 for a
// change. A change is an array that begins with its version, an array of changes begins
// with an array.
func (r *reader) changeCount() uint32 {
	n, rest, err := msgp.ReadArrayHeaderBytes(r.rest)
	if err != nil || n > 0 && msgp.NextType(rest) != msgp.ArrayType {
		return 1
	}
	r.rest = rest
	return n
}

func (r *reader) change(c *change.Change) {
	r.array("a change", changeElements)
	if version := r.integer("the version"); version != formatVersion {
		r.fail("the version is not %d", formatVersion)
	}
	switch r.integer("the type") {
	case typeDelete:
		r.array("a delete", 2)
		r.key(c)
		c.Op = change.Delete
		if r.integer("flags")&flagDurable != 0 {
			c.Op = change.DurableDelete
		}
	case typeWrite:
		r.write(c)
	default:
		r.fail("neither a write nor a delete")
	}
}

func (r *reader) write(c *change.Change) {
	r.array("a write", 5)
	r.key(c)
	gen := r.integer("the generation")
	if c.Generation = uint32(gen); int64(c.Generation) != gen {
		r.fail("the generation is out of range")
	}
	if c.Expiry = change.ExpiryUnknown; !r.isNil() {
		c.Expiry = format.ExpiryOf(r.integer("the expiry"))
	}
	c.LUT = r.integer("the last update time")
	if !r.bins {
		return
	}
	n := take(r, "the bins", msgp.ReadArrayHeaderBytes)
	for i := 0; i < int(n) && r.err == nil; i++ {
		c.Bins = append(c.Bins, r.bin(i))
	}
}

func (r *reader) key(c *change.Change) {
	r.array("the key", 4)
	c.Namespace = r.name("the namespace", change.SlotNamespace)
	if c.Namespace == "" {
		r.fail("the namespace is empty")
	}
	if !r.isNil() {
		c.Set = r.name("the set", change.SlotSet)
	}
	digest := take(r, "the digest", msgp.ReadBytesZC)
	if len(digest) != len(c.Digest) {
		r.fail("the digest has %s, not %d", plural.Of(len(digest), "byte"), len(c.Digest))
	}
	copy(c.Digest[:], digest)
	if kind := r.next(); format.IsUserKey(kind) {
		c.Key = r.scalar(kind)
	} else {
		r.fail("the user key is neither string, number nor bytes")
	}
}

func (r *reader) bin(i int) change.Bin {
	r.array("a bin", 4)
	b := change.Bin{Name: r.name("a bin's name", change.SlotBins+i)}
	number := r.integer("a bin's type")
	kind := change.Kind(number)
	if number < 0 || number > math.MaxUint8 {
		r.fail("a bin's type is not a particle type")
	}
	order := change.Order(r.integer("a bin's flags")) & change.KeyValueOrdered
	switch have := r.next(); {
	case have.IsCollection():
		if kind != have {
			r.fail("kind %s, but its type says %s", have, kind)
			return b
		}
		b.Value = r.collection(have, order)
	default:
		b.Value = r.typed(kind, r.scalar(have))
	}
	return b
}

// typed converts a value to the kind that its bin's type says.
func (r *reader) typed(kind change.Kind, v change.Value) change.Value {
	have := v.Kind()
	switch {
	case kind == have, have == change.KindUnsigned && kind == change.KindInteger:
		return v
	case have == change.KindString && kind == change.KindGeoJSON:
		return change.GeoJSONValue(v.Bytes())
	case have == change.KindBlob && format.IsBytes(kind):
		return change.BytesValue(kind, v.Bytes())
	}
	r.fail("kind %s, but its type says %s", have, kind)
	return change.Value{}
}

// collection reads a list or map, and converts it to Aerospike's own form.
func (r *reader) collection(kind change.Kind, order change.Order) change.Value {
	var p change.Packer
	r.pack(&p, kind, order, 1)
	if r.err != nil {
		return change.Value{}
	}
	v, err := p.Value(kind)
	if err != nil {
		r.fail("%v", err)
	}
	return v
}

func (r *reader) pack(p *change.Packer, kind change.Kind, order change.Order, depth int) {
	if !kind.IsCollection() {
		if v := r.scalar(kind); r.err == nil {
			p.Add(v)
		}
		return
	}
	if depth > change.MaxDepth {
		r.fail("%w", format.ErrDepth)
		return
	}
	n := 0
	if kind == change.KindMap {
		n = 2 * int(take(r, "a map", msgp.ReadMapHeaderBytes))
	} else {
		n = int(take(r, "a list", msgp.ReadArrayHeaderBytes))
	}
	p.Open(kind, order)
	for i := 0; i < n && r.err == nil; i++ {
		r.pack(p, r.next(), change.Unordered, depth+1)
	}
	p.Close()
}

// next returns the kind of the next value. An extension has KindOpaque.
func (r *reader) next() change.Kind {
	switch msgp.NextType(r.rest) {
	case msgp.NilType:
		return change.KindNil
	case msgp.BoolType:
		return change.KindBool
	case msgp.IntType, msgp.UintType:
		return change.KindInteger
	case msgp.Float32Type, msgp.Float64Type:
		return change.KindDouble
	case msgp.StrType:
		return change.KindString
	case msgp.BinType:
		return change.KindBlob
	case msgp.ArrayType:
		return change.KindList
	case msgp.MapType:
		return change.KindMap
	}
	return change.KindOpaque
}

// scalar reads a value of the kind that next returned, which is not a collection.
func (r *reader) scalar(kind change.Kind) change.Value {
	switch kind {
	case change.KindNil:
		r.isNil()
		return change.Value{}
	case change.KindBool:
		return change.BoolValue(take(r, "a bool", msgp.ReadBoolBytes))
	case change.KindInteger:
		if msgp.NextType(r.rest) == msgp.UintType {
			return change.UnsignedValue(take(r, "an integer", msgp.ReadUint64Bytes))
		}
		return change.IntegerValue(take(r, "an integer", msgp.ReadInt64Bytes))
	case change.KindDouble:
		return change.DoubleValue(take(r, "a double", msgp.ReadFloat64Bytes))
	case change.KindString:
		return change.StringValue(take(r, "a string", msgp.ReadStringZC))
	case change.KindBlob:
		return change.BytesValue(kind, take(r, "a blob", msgp.ReadBytesZC))
	}
	return r.extension()
}

// extension reads an extension as a value of the particle type that it names. If values of
// that type are not written as extensions, the result is the extension as it is.
func (r *reader) extension() change.Value {
	if r.err != nil {
		return change.Value{}
	}
	head, content, end, err := extensionOf(r.rest)
	if err != nil {
		r.fail("%v", err)
		return change.Value{}
	}
	kind, whole := change.Kind(r.rest[head]), r.rest[:end:end]
	r.rest = r.rest[end:]
	switch {
	case kind == change.KindGeoJSON:
		return change.GeoJSONValue(content)
	case !format.IsBytes(kind) || kind == math.MaxUint8: // 255 is Aerospike's own type for values that no record holds
		return change.BytesValue(change.KindOpaque, whole)
	}
	return change.BytesValue(kind, content)
}

// extensionOf returns the offset of the type of the extension at the start of b, its
// content, and its end.
func extensionOf(b []byte) (head int, content []byte, end int, err error) {
	if len(b) == 0 {
		return 0, nil, 0, msgp.ErrShortBytes
	}
	n, size := 0, uint64(0)
	switch c := b[0]; c {
	case 0xd4, 0xd5, 0xd6, 0xd7, 0xd8:
		size = 1 << (c - 0xd4)
	case 0xc7, 0xc8, 0xc9:
		n = 1 << (c - 0xc7)
		if len(b) < 1+n {
			return 0, nil, 0, msgp.ErrShortBytes
		}
		size = bigEndian(b[1 : 1+n])
	default:
		return 0, nil, 0, fmt.Errorf("no value begins with byte 0x%02x", c)
	}
	head = 1 + n
	if uint64(len(b)-head) < 1+size {
		return 0, nil, 0, msgp.ErrShortBytes
	}
	end = head + 1 + int(size)
	return head, b[head+1 : end : end], end, nil
}

func bigEndian(b []byte) uint64 {
	var eight [8]byte
	copy(eight[8-len(b):], b)
	return binary.BigEndian.Uint64(eight[:])
}

func (r *reader) array(what string, want int) {
	if n := int(take(r, what, msgp.ReadArrayHeaderBytes)); n != want {
		r.fail("%s is an array of %d, not %d", what, n, want)
	}
}

// integer reads an integer, or nil as 0, which means unknown.
func (r *reader) integer(what string) int64 {
	if r.isNil() {
		return 0
	}
	return take(r, what, msgp.ReadInt64Bytes)
}

func (r *reader) isNil() bool {
	if r.err != nil || msgp.NextType(r.rest) != msgp.NilType {
		return false
	}
	r.rest = r.rest[1:]
	return true
}

func (r *reader) name(what string, slot int) string {
	return r.names.Of(take(r, what, msgp.ReadStringZC), slot)
}

// take reads the next value with one of the library's functions.
func take[T any](r *reader, what string, read func([]byte) (T, []byte, error)) (v T) {
	if r.err != nil {
		return v
	}
	v, rest, err := read(r.rest)
	if err != nil {
		r.fail("%s: %s", what, withoutData(err))
		return v
	}
	r.rest = rest
	return v
}

// withoutData returns the text of an error of the library, without the number that is out
// of range.
func withoutData(err error) string {
	var signed msgp.IntOverflow
	var unsigned msgp.UintOverflow
	if errors.As(err, &signed) || errors.As(err, &unsigned) {
		return "an integer of more than 63 bits"
	}
	return err.Error()
}

func (r *reader) offset() int { return r.end - len(r.rest) }

// fail keeps an error about what is read next, if it is the first.
func (r *reader) fail(detail string, args ...any) {
	if r.err == nil {
		r.err = format.ErrorAt(r.offset(), detail, args...)
	}
}
