package change

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// MaxDepth is how deep collections may nest: the list in a bin is at depth 1.
const MaxDepth = 256

// Order is the order of a collection that the server keeps. The numbers are
// Aerospike's (aerospike-common, as_msgpack.h:
// AS_PACKED_MAP_FLAG_K_ORDERED, AS_PACKED_MAP_FLAG_KV_ORDERED; aerospike-server,
// particle_list.c: AS_PACKED_LIST_FLAG_ORDERED).
type Order uint8

// A list is unordered or ordered; a map is unordered, key-ordered or
// key-value-ordered.
const (
	Unordered       Order = 0
	Ordered         Order = 1 // a list
	KeyOrdered      Order = 1 // a map
	KeyValueOrdered Order = 3 // a map
)

// Reader reads the elements of a collection in one pass. A nested collection is
// a Value whose own elements follow in the same Reader:
//
//	func walk(r *change.Reader) {
//		v := r.Next()
//		switch v.Kind() {
//		case change.KindList:
//			for range v.Len() {
//				walk(r)
//			}
//		case change.KindMap:
//			for range v.Len() {
//				walk(r) // the key
//				walk(r) // the value
//			}
//		}
//	}
//
// The zero Reader is at its end.
type Reader struct{ rest []byte }

// ListValue returns packed as a value of KindList. It checks every byte, and that the list
// nests no deeper than [MaxDepth]. The value keeps packed.
func ListValue(packed []byte) (Value, error) { return collection(KindList, packed) }

// MapValue is ListValue for a value of KindMap.
func MapValue(packed []byte) (Value, error) { return collection(KindMap, packed) }

// Next returns the next element, or a nil value past the end. It has no error, since a
// Reader exists only for checked values.
func (r *Reader) Next() (v Value) {
	if r.read(&v) != nil {
		r.rest = nil
		return Value{}
	}
	return v
}

// Skip skips the elements of v, which Next returned last. It does nothing if v is not a
// collection.
func (r *Reader) Skip(v Value) {
	if r.skip(v.slots()) != nil {
		r.rest = nil
	}
}

func collection(kind Kind, packed []byte) (v Value, err error) {
	r := Reader{rest: packed}
	if err = r.read(&v); err != nil {
		return Value{}, err
	}
	if v.kind != kind {
		return Value{}, fmt.Errorf("kind %s, want %s", v.kind, kind)
	}
	if err = r.skip(v.slots()); err != nil {
		return Value{}, err
	}
	if len(r.rest) > 0 {
		return Value{}, fmt.Errorf("the %s ends at byte %d of %d", kind, len(packed)-len(r.rest), len(packed))
	}
	v.raw = packed
	return v, nil
}

// ErrDepth is the error for a collection that nests deeper than [MaxDepth].
var ErrDepth = fmt.Errorf("collections nest deeper than %d", MaxDepth)

var errTruncated = errors.New("unexpected end of packed value")

// skip checks and skips the n values of a collection at depth 1.
func (r *Reader) skip(n uint64) error {
	var v Value
	for ; n > 0; n-- {
		if err := r.read(&v); err != nil {
			return err
		}
		if v.kind.IsCollection() {
			return r.skipNested(n-1, v.slots())
		}
	}
	return nil
}

// skipNested is skip for nested collections, without recursion. It has to skip inner values
// at depth 2, then outer values at depth 1.
func (r *Reader) skipNested(outer, inner uint64) error {
	var v Value
	var left [MaxDepth]uint64
	left[0], left[1] = outer, inner
	for depth := 1; depth >= 0; {
		if left[depth] == 0 {
			depth--
			continue
		}
		left[depth]--
		if err := r.read(&v); err != nil {
			return err
		}
		if v.kind.IsCollection() {
			if depth++; depth == MaxDepth {
				return ErrDepth
			}
			left[depth] = v.slots()
		}
	}
	return nil
}

// Collections are held packed in Aerospike's dialect of MessagePack
// (aerospike-client-go, packer.go and unpacker.go; aerospike-server, cdt.c):
//
//   - nil, booleans, integers and doubles are MessagePack's own;
//   - strings, blobs and GeoJSON have a string (or binary) header, and their
//     first payload byte is the particle type;
//   - an order is an extension object in front of the first element. It counts in
//     the collection's length; in a map a nil value follows it.

// read reads a value into v: all of a scalar, or the header of a collection with its order
// marker. The formats are MessagePack's (github.com/msgpack/msgpack, spec.md).
func (r *Reader) read(v *Value) error {
	b := r.rest
	if len(b) == 0 {
		return errTruncated
	}
	c := b[0]
	switch {
	case c <= 0x7f, c >= 0xe0:
		*v = Value{kind: KindInteger, num: uint64(int64(int8(c)))}
		r.rest = b[1:]
		return nil
	case c <= 0x8f:
		return r.head(v, KindMap, uint64(c&0x0f), 1)
	case c <= 0x9f:
		return r.head(v, KindList, uint64(c&0x0f), 1)
	case c <= 0xbf:
		return r.text(v, uint64(c&0x1f), 1)
	}
	switch c {
	case 0xc0:
		*v = Value{}
		r.rest = b[1:]
		return nil
	case 0xc2, 0xc3:
		*v = BoolValue(c == 0xc3)
		r.rest = b[1:]
		return nil
	case 0xd4, 0xd5, 0xd6, 0xd7, 0xd8: // fixext 1, 2, 4, 8, 16
		return r.extension(v, 1, 1<<(c-0xd4))
	}
	n := operand(c)
	if n == 0 {
		return fmt.Errorf("invalid first byte 0x%02x of a packed value", c)
	}
	if len(b) < 1+n {
		return errTruncated
	}
	return r.sized(v, c, n)
}

// operand returns the length of the big-endian number after c.
func operand(c byte) int {
	switch c {
	case 0xc4, 0xc7, 0xcc, 0xd0, 0xd9: // bin 8, ext 8, uint 8, int 8, str 8
		return 1
	case 0xc5, 0xc8, 0xcd, 0xd1, 0xda, 0xdc, 0xde: // bin, ext, uint, int, str, array, map 16
		return 2
	case 0xc6, 0xc9, 0xca, 0xce, 0xd2, 0xdb, 0xdd, 0xdf: // bin, ext, float, uint, int, str, array, map 32
		return 4
	case 0xcb, 0xcf, 0xd3: // float, uint, int 64
		return 8
	}
	return 0
}

// sized reads a value that begins with c and a number of n bytes.
func (r *Reader) sized(v *Value, c byte, n int) error {
	u := number(r.rest[1 : 1+n])
	switch c {
	case 0xcc, 0xcd, 0xce, 0xcf:
		*v = UnsignedValue(u)
	case 0xd0, 0xd1, 0xd2, 0xd3:
		unused := 64 - 8*n
		*v = IntegerValue(int64(u<<unused) >> unused)
	case 0xca:
		*v = DoubleValue(float64(math.Float32frombits(uint32(u))))
	case 0xcb:
		*v = DoubleValue(math.Float64frombits(u))
	case 0xc7, 0xc8, 0xc9:
		return r.extension(v, 1+n, u)
	case 0xdc, 0xdd:
		return r.head(v, KindList, u, 1+n)
	case 0xde, 0xdf:
		return r.head(v, KindMap, u, 1+n)
	default:
		return r.text(v, u, 1+n)
	}
	r.rest = r.rest[1+n:]
	return nil
}

func number(b []byte) uint64 {
	switch len(b) {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.BigEndian.Uint16(b))
	case 4:
		return uint64(binary.BigEndian.Uint32(b))
	}
	return binary.BigEndian.Uint64(b)
}

// text reads the payload of a string header: n bytes from at, the particle type and the
// content. With 0 bytes there is no type. Clients do not write that; it is read as an empty
// string.
func (r *Reader) text(v *Value, n uint64, at int) error {
	if n > uint64(len(r.rest)-at) {
		return errTruncated
	}
	end := at + int(n)
	if n == 0 {
		*v = Value{kind: KindString}
		r.rest = r.rest[end:]
		return nil
	}
	kind := Kind(r.rest[at])
	switch kind {
	case KindNil, KindInteger, KindDouble, KindBool, KindMap, KindList:
		return fmt.Errorf("kind %s in a string", kind)
	}
	*v = Value{kind: kind, raw: r.rest[at+1 : end : end]}
	r.rest = r.rest[end:]
	return nil
}

// extension reads an extension object: the type at at, and n bytes after it.
func (r *Reader) extension(v *Value, at int, n uint64) error {
	if n >= uint64(len(r.rest)-at) {
		return errTruncated
	}
	end := at + 1 + int(n)
	*v = Value{kind: KindOpaque, num: uint64(r.rest[at]), raw: r.rest[:end:end]}
	r.rest = r.rest[end:]
	return nil
}

// head makes v a collection of n elements or pairs, which begin at at. It reads the order
// marker too, which counts in n.
func (r *Reader) head(v *Value, kind Kind, n uint64, at int) error {
	r.rest = r.rest[at:]
	if n > uint64(len(r.rest)) { // an element has at least one byte
		return errTruncated
	}
	*v = Value{kind: kind, num: n << 8}
	if n == 0 || !isExtension(r.rest[0]) {
		return nil
	}
	var marker, beside Value
	if err := r.read(&marker); err != nil {
		return err
	}
	if kind == KindMap {
		if err := r.read(&beside); err != nil {
			return err
		}
		if beside.kind != KindNil {
			return fmt.Errorf("kind %s after the order of a map, want nil", beside.kind)
		}
	}
	v.num = (n-1)<<8 | marker.num&0xff
	return nil
}

func isExtension(c byte) bool { return c >= 0xc7 && c <= 0xc9 || c >= 0xd4 && c <= 0xd8 }
