package devnode

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"slices"

	"github.com/aerosink/aerosink/connector/change"
)

// repacker checks lists and maps as the server does when a client writes them, and packs
// them in the shortest form, which is the one that the server keeps. The zero repacker is
// ready to use.
//
// The server refuses a list or map that says it is sorted and is not, maps with a key twice
// or with a key that is neither integer, string nor blob, bytes behind the end, and values
// that are only for comparisons (aerospike-server, cdt.c and msgpack_in.c; tried with 8.0).
type repacker struct {
	out  []byte
	keys [][]byte // of maps that are being read
}

// The flags in the order marker of a list or map (as_msgpack.h, AS_PACKED_*).
const (
	flagOrdered = 1 // of a map: by key
	flagIndexed = 8 // an index is to be stored with it; the node does not show it
)

const comparisonOnly = 0xff // the type of an extension for infinity or a wildcard

// repack returns the shortest form of a list or map, which is valid until the next call.
func (r *repacker) repack(kind change.Kind, b []byte) (packed []byte, ok bool) {
	r.out, r.keys = r.out[:0], r.keys[:0]
	rest, k, ok := r.value(b, 0)
	return r.out, ok && k == kind && len(rest) == 0
}

// value reads a value and appends it. It returns what is behind the value.
func (r *repacker) value(b []byte, depth int) (rest []byte, kind change.Kind, ok bool) {
	if len(b) == 0 || depth > change.MaxDepth {
		return nil, 0, false
	}
	switch c := b[0]; {
	case c&0xf0 == 0x90, c == 0xdc, c == 0xdd:
		rest, ok = r.list(b, depth)
		return rest, change.KindList, ok
	case c&0xf0 == 0x80, c == 0xde, c == 0xdf:
		rest, ok = r.pairs(b, depth)
		return rest, change.KindMap, ok
	case c == 0xca:
		const size = 5
		if len(b) < size {
			return nil, 0, false
		}
		r.out = append(r.out, b[:size]...)
		return b[size:], change.KindDouble, true
	case isExtension(c):
		n, kindOf, ok := extension(b)
		if !ok || kindOf == comparisonOnly {
			return nil, 0, false
		}
		r.out = append(r.out, b[:n]...)
		return b[n:], change.KindOpaque, true
	}
	return r.scalar(b)
}

// scalar reads a value that is neither a collection nor an extension.
func (r *repacker) scalar(b []byte) (rest []byte, kind change.Kind, ok bool) {
	u := unpacker{rest: b}
	if text, ok := u.raw(); ok {
		r.out = append(appendTextHead(r.out, len(text)), text...)
		if len(text) == 0 {
			return u.rest, change.KindBlob, true
		}
		return u.rest, change.Kind(text[0]), true
	}
	v, _, ok := u.next()
	switch v.Kind() {
	case change.KindInteger:
		r.out = appendInteger(r.out, v.Integer())
	case change.KindUnsigned:
		r.out = binary.BigEndian.AppendUint64(append(r.out, 0xcf), v.Unsigned())
	default:
		r.out = append(r.out, b[:len(b)-len(u.rest)]...)
	}
	return u.rest, v.Kind(), ok
}

// head reads the head of a collection and its order marker, and appends both. Slots is how
// many values of the collection follow.
func (r *repacker) head(b []byte, kind change.Kind) (rest []byte, slots int, flags byte, ok bool) {
	u := unpacker{rest: b}
	_, n, ok := u.next()
	if !ok || n > len(u.rest) {
		return nil, 0, 0, false
	}
	r.out = appendCollectionHead(r.out, kind, n)
	each := 1
	if kind == change.KindMap {
		each = 2
	}
	rest = u.rest
	if n == 0 || len(rest) == 0 || !isExtension(rest[0]) {
		return rest, n * each, 0, true
	}
	size, kindOf, ok := extension(rest)
	if !ok || kindOf == comparisonOnly {
		return nil, 0, 0, false
	}
	flags = kindOf &^ flagIndexed
	r.out = append(r.out, 0xc7, 0, flags)
	rest = rest[size:]
	if kind == change.KindMap {
		if len(rest) == 0 || rest[0] != 0xc0 {
			return nil, 0, 0, false
		}
		r.out = append(r.out, 0xc0)
		rest = rest[1:]
	}
	return rest, (n - 1) * each, flags, true
}

// list reads a list.
func (r *repacker) list(b []byte, depth int) (rest []byte, ok bool) {
	rest, slots, flags, ok := r.head(b, change.KindList)
	before := -1
	for range slots {
		at := len(r.out)
		if ok {
			rest, _, ok = r.value(rest, depth+1)
		}
		if !ok {
			return nil, false
		}
		if flags&flagOrdered != 0 && before >= 0 && comparePacked(r.out[before:at], r.out[at:]) > 0 {
			return nil, false
		}
		before = at
	}
	return rest, ok
}

// pairs reads a map.
func (r *repacker) pairs(b []byte, depth int) (rest []byte, ok bool) {
	rest, slots, flags, ok := r.head(b, change.KindMap)
	if !ok {
		return nil, false
	}
	first := len(r.keys)
	defer func() { r.keys = r.keys[:first] }()
	for range slots / 2 {
		var kind change.Kind
		key := rest
		if rest, kind, ok = r.value(rest, depth+1); !ok || !isMapKey(kind) {
			return nil, false
		}
		r.keys = append(r.keys, key[:len(key)-len(rest)])
		if rest, _, ok = r.value(rest, depth+1); !ok {
			return nil, false
		}
	}
	keys := r.keys[first:]
	if flags&flagOrdered == 0 {
		slices.SortFunc(keys, comparePacked)
	}
	for i := 1; i < len(keys); i++ {
		if comparePacked(keys[i-1], keys[i]) >= 0 {
			return nil, false
		}
	}
	return rest, true
}

// isMapKey reports whether the server takes a key of that kind.
func isMapKey(kind change.Kind) bool {
	switch kind {
	case change.KindInteger, change.KindUnsigned, change.KindString, change.KindBlob, change.KindJavaBlob, change.KindCSharpBlob,
		change.KindPythonBlob, change.KindRubyBlob, change.KindPHPBlob, change.KindErlangBlob:
		return true
	}
	return false
}

func isExtension(c byte) bool { return c >= 0xc7 && c <= 0xc9 || c >= 0xd4 && c <= 0xd8 }

// extension returns the size of an extension, with its head, and its type.
func extension(b []byte) (size int, kind byte, ok bool) {
	at, n := 1, uint64(0)
	switch c := b[0]; {
	case c >= 0xd4 && c <= 0xd8:
		n = 1 << (c - 0xd4)
	case c == 0xc7 && len(b) > 1:
		at, n = 2, uint64(b[1])
	case c == 0xc8 && len(b) > 2:
		at, n = 3, uint64(binary.BigEndian.Uint16(b[1:]))
	case c == 0xc9 && len(b) > 4:
		at, n = 5, uint64(binary.BigEndian.Uint32(b[1:]))
	default:
		return 0, 0, false
	}
	if n >= uint64(len(b)-at) {
		return 0, 0, false
	}
	return at + 1 + int(n), b[at], true
}

// comparePacked compares values as the server orders them: nil, booleans, integers, strings,
// lists, maps, blobs, doubles, GeoJSON (aerospike-server, msgpack_in.h, msgpack_type). The
// values are valid.
func comparePacked(a, b []byte) int {
	_, _, order := compareNext(a, b)
	return order
}

// compareNext compares the first values of a and b. It returns what follows them if they are
// equal.
func compareNext(a, b []byte) (restA, restB []byte, order int) {
	ua, ub := unpacker{rest: a}, unpacker{rest: b}
	va, na := ua.packed()
	vb, nb := ub.packed()
	if order = cmp.Compare(rank(va.Kind()), rank(vb.Kind())); order != 0 {
		return nil, nil, order
	}
	switch va.Kind() {
	case change.KindNil:
	case change.KindInteger, change.KindUnsigned, change.KindBool:
		negative := func(v change.Value) bool { return v.Kind() == change.KindInteger && v.Integer() < 0 }
		switch {
		case negative(va) != negative(vb):
			order = 1
			if negative(va) {
				order = -1
			}
		default:
			order = cmp.Compare(va.Unsigned(), vb.Unsigned())
		}
	case change.KindDouble:
		order = cmp.Compare(va.Double(), vb.Double())
	case change.KindList, change.KindMap:
		each := 1
		if va.Kind() == change.KindMap {
			each = 2
		}
		for range min(na, nb) * each {
			if ua.rest, ub.rest, order = compareNext(ua.rest, ub.rest); order != 0 {
				return nil, nil, order
			}
		}
		order = cmp.Compare(na, nb)
	default:
		order = bytes.Compare(va.Bytes(), vb.Bytes())
	}
	return ua.rest, ub.rest, order
}

// packed reads a valid value, of a collection only the head and the order marker. The length
// is that without the marker.
func (u *unpacker) packed() (v change.Value, length int) {
	b := u.rest
	if isExtension(b[0]) {
		n, _, _ := extension(b)
		u.skip(n)
		return change.BytesValue(change.KindOpaque, b[:n]), 0
	}
	if text, ok := u.raw(); ok {
		switch {
		case len(text) > 0 && change.Kind(text[0]) == change.KindString:
			return change.StringValue(text[1:]), 0
		case len(text) > 0 && change.Kind(text[0]) == change.KindGeoJSON:
			return change.GeoJSONValue(text[1:]), 0
		}
		return change.BytesValue(change.KindBlob, text), 0
	}
	v, length, _ = u.next()
	if v.Kind().IsCollection() && length > 0 && isExtension(u.rest[0]) {
		n, _, _ := extension(u.rest)
		if u.skip(n); v.Kind() == change.KindMap {
			u.skip(1)
		}
		length--
	}
	return v, length
}

// rank returns the place of a kind in the server's order.
func rank(kind change.Kind) int {
	if kind == change.KindUnsigned {
		kind = change.KindInteger
	}
	return slices.Index([]change.Kind{change.KindNil, change.KindBool, change.KindInteger, change.KindString, change.KindList,
		change.KindMap, change.KindBlob, change.KindDouble, change.KindGeoJSON, change.KindOpaque}, kind)
}

// appendCollectionHead appends the shortest head of a list or map with n elements or pairs.
func appendCollectionHead(b []byte, kind change.Kind, n int) []byte {
	short, long := byte(0x90), byte(0xdc)
	if kind == change.KindMap {
		short, long = 0x80, 0xde
	}
	switch {
	case n < 16:
		return append(b, short|byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, long), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(b, long+1), uint32(n))
}

// appendTextHead appends the shortest head of a string of n bytes.
func appendTextHead(b []byte, n int) []byte {
	switch {
	case n < 32:
		return append(b, 0xa0|byte(n))
	case n <= math.MaxUint8:
		return append(b, 0xd9, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, 0xda), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(b, 0xdb), uint32(n))
}

// appendInteger appends the shortest form of an integer.
func appendInteger(b []byte, v int64) []byte {
	switch {
	case v >= -32 && v <= math.MaxInt8:
		return append(b, byte(v))
	case v < math.MinInt32:
		return binary.BigEndian.AppendUint64(append(b, 0xd3), uint64(v))
	case v < math.MinInt16:
		return binary.BigEndian.AppendUint32(append(b, 0xd2), uint32(v))
	case v < math.MinInt8:
		return binary.BigEndian.AppendUint16(append(b, 0xd1), uint16(v))
	case v < 0:
		return append(b, 0xd0, byte(v))
	case v <= math.MaxUint8:
		return append(b, 0xcc, byte(v))
	case v <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, 0xcd), uint16(v))
	case v <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, 0xce), uint32(v))
	}
	return binary.BigEndian.AppendUint64(append(b, 0xcf), uint64(v))
}
