package change

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Kind is the type of a [Value]. Up to 255 it is Aerospike's particle type
// (aerospike-server, as/include/base/datamodel.h, as_particle_type). A type without a name
// here is unknown to this release, and kept as bytes.
type Kind uint16

// The particle types of a record, and above 255 two kinds that occur only in lists and maps.
const (
	KindNil        Kind = 0 // a deleted bin; nil inside a collection; an absent user key
	KindInteger    Kind = 1
	KindDouble     Kind = 2
	KindString     Kind = 3
	KindBlob       Kind = 4
	KindJavaBlob   Kind = 7
	KindCSharpBlob Kind = 8
	KindPythonBlob Kind = 9
	KindRubyBlob   Kind = 10
	KindPHPBlob    Kind = 11
	KindErlangBlob Kind = 12
	KindVector     Kind = 16 // reserved by the server
	KindBool       Kind = 17
	KindHLL        Kind = 18
	KindMap        Kind = 19
	KindList       Kind = 20
	KindGeoJSON    Kind = 23

	KindUnsigned Kind = 256 // an integer above the largest int64
	KindOpaque   Kind = 257 // a MessagePack extension, kept as packed
)

var kindNames = map[Kind]string{
	KindNil: "nil", KindInteger: "integer", KindDouble: "double", KindString: "string", KindBlob: "blob",
	KindJavaBlob: "java-blob", KindCSharpBlob: "csharp-blob", KindPythonBlob: "python-blob", KindRubyBlob: "ruby-blob",
	KindPHPBlob: "php-blob", KindErlangBlob: "erlang-blob", KindVector: "vector", KindBool: "bool", KindHLL: "hll",
	KindMap: "map", KindList: "list", KindGeoJSON: "geojson", KindUnsigned: "unsigned", KindOpaque: "opaque",
}

// String returns the kind's name, or "particle N" for one without.
func (k Kind) String() string {
	if name, ok := kindNames[k]; ok {
		return name
	}
	return fmt.Sprintf("particle %d", uint16(k))
}

// IsCollection reports whether k is a list or a map.
func (k Kind) IsCollection() bool { return k == KindList || k == KindMap }

// Value is the value of a bin, of a user key, or of an element of a collection.
// The zero Value is nil, a deleted bin. A Value shares the bytes that it was made of, and
// never writes to them.
//
// A list or map is kept packed, as Aerospike stores it. [Value.Elements] reads its elements.
type Value struct {
	kind Kind
	// num is an integer, the bits of a double, a bool, the length and order of a
	// collection, or the offset of the text of a GeoJSON particle in raw.
	num uint64
	raw []byte
}

// IntegerValue returns a value of KindInteger.
func IntegerValue(v int64) Value { return Value{kind: KindInteger, num: uint64(v)} }

// UnsignedValue returns v as KindInteger if it fits, else as KindUnsigned.
func UnsignedValue(v uint64) Value {
	if v <= math.MaxInt64 {
		return Value{kind: KindInteger, num: v}
	}
	return Value{kind: KindUnsigned, num: v}
}

// DoubleValue returns a value of KindDouble.
func DoubleValue(v float64) Value { return Value{kind: KindDouble, num: math.Float64bits(v)} }

// BoolValue returns a value of KindBool.
func BoolValue(v bool) Value {
	if v {
		return Value{kind: KindBool, num: 1}
	}
	return Value{kind: KindBool}
}

// StringValue returns a value of KindString. Aerospike does not check that a
// string is UTF-8, and neither does this.
func StringValue(b []byte) Value { return Value{kind: KindString, raw: b} }

// BytesValue returns a value of a kind that is just bytes: a blob, an HLL, a kind without a
// name, KindOpaque.
func BytesValue(kind Kind, b []byte) Value { return Value{kind: kind, raw: b} }

// GeoJSONValue returns a value of KindGeoJSON with only the JSON text, as in a collection.
func GeoJSONValue(text []byte) Value { return Value{kind: KindGeoJSON, raw: text} }

// GeoJSONParticle returns a value of KindGeoJSON from the particle of a bin: flags, the
// number of S2 cells, the cells, then the text (aerospike-server,
// particle_geojson.c, geojson_mem).
func GeoJSONParticle(b []byte) (Value, error) {
	const header = 3
	if len(b) < header {
		return Value{}, fmt.Errorf("GeoJSON of %d bytes: the header alone has %d", len(b), header)
	}
	text := header + 8*int(binary.BigEndian.Uint16(b[1:]))
	if len(b) < text {
		return Value{}, fmt.Errorf("GeoJSON of %d bytes: its cells end at %d", len(b), text)
	}
	return Value{kind: KindGeoJSON, num: uint64(text), raw: b}, nil
}

// Kind returns the kind of v.
func (v Value) Kind() Kind { return v.kind }

// Integer returns the number of KindInteger.
func (v Value) Integer() int64 { return int64(v.num) }

// Unsigned returns the number of KindUnsigned.
func (v Value) Unsigned() uint64 { return v.num }

// Double returns the number of KindDouble.
func (v Value) Double() float64 { return math.Float64frombits(v.num) }

// Bool returns the value of KindBool.
func (v Value) Bool() bool { return v.num != 0 }

// Bytes returns the content of a string, a blob or a kind without a name, and the JSON text
// of KindGeoJSON. The caller must not write to it.
func (v Value) Bytes() []byte {
	if v.kind == KindGeoJSON {
		return v.raw[v.num:]
	}
	return v.raw
}

// GeoJSONParticle returns the particle that v was made of, or false if v has only the text.
func (v Value) GeoJSONParticle() ([]byte, bool) {
	return v.raw, v.kind == KindGeoJSON && v.num > 0
}

// Packed returns the packed form of a list or map that did not come from a [Reader].
func (v Value) Packed() []byte { return v.raw }

// Elements returns a Reader of the elements of a list, or of the keys and values of a map in
// turn. Do not call it for a collection that came from a [Reader]: its elements follow in
// that Reader.
func (v Value) Elements() Reader {
	r := Reader{rest: v.raw}
	if v.kind.IsCollection() {
		r.Next()
	}
	return r
}

// Len returns the number of elements of a list or of pairs of a map, and 0 for other kinds.
func (v Value) Len() int {
	if !v.kind.IsCollection() {
		return 0
	}
	return int(v.num >> 8)
}

// Order returns the order of a list or map.
func (v Value) Order() Order { return Order(v.num) & KeyValueOrdered }

// Depth returns how deep lists and maps nest in v: 1 for a collection without another in it,
// 0 for other kinds. Like Elements, do not call it for a collection that came from a Reader.
func (v Value) Depth() int {
	if !v.kind.IsCollection() {
		return 0
	}
	r, deepest := v.Elements(), 1
	left := []uint64{v.slots()} // at each depth, the number of values left
	for len(left) > 0 {
		last := len(left) - 1
		if left[last] == 0 {
			left = left[:last]
			continue
		}
		left[last]--
		if inner := r.Next(); inner.kind.IsCollection() {
			left = append(left, inner.slots())
			deepest = max(deepest, len(left))
		}
	}
	return deepest
}

// slots returns how many values follow the header of v in its Reader.
func (v Value) slots() uint64 {
	switch v.kind {
	case KindList:
		return v.num >> 8
	case KindMap:
		return v.num >> 8 * 2
	}
	return 0
}
