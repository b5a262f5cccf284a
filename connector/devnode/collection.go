package devnode

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"math/bits"
	"slices"

	"github.com/aerosink/aerosink/connector/change"
)

// repacker checks lists and maps as the server does when a client writes them, and packs
// them as the server keeps them: in the shortest form, and maps in the order of their keys.
// The zero repacker is ready to use.
//
// The server refuses a list or map that says it is sorted and is not, maps with a key twice
// or with a key that is neither integer, string nor blob, bytes behind the end, and values
// that are only for comparisons (tried with release 8.0; aerospike-server, cdt.c and
// msgpack_in.c).
type repacker struct {
	out   []byte
	pairs []pair // of maps that are being read
	moved []byte // the pairs of a map in their order
}

// pair is a key and a value in the bytes that a repacker has packed.
type pair struct{ key, value, end int }

// The flags in the order marker of a list or map (as_msgpack.h, AS_PACKED_*).
const (
	flagsList   = 1 // ordered
	flagsMap    = 3 // ordered by key, and by value
	flagOrdered = 1 // of both
)

// comparisonOnly is the type of an extension for infinity or a wildcard.
const comparisonOnly = 0xff

// maxNested bounds how deep lists and maps nest. The server has no limit.
const maxNested = 1000

// repack returns a list or map as it is kept. The bytes are valid until the next call.
func (r *repacker) repack(kind change.Kind, b []byte) (packed []byte, ok bool) {
	r.out, r.pairs = r.out[:0], r.pairs[:0]
	rest, k, ok := r.value(b, 0)
	return r.out, ok && k == kind && len(rest) == 0
}

// value reads a value and appends it. It returns what is behind the value.
func (r *repacker) value(b []byte, depth int) (rest []byte, kind change.Kind, ok bool) {
	if len(b) == 0 || depth > maxNested {
		return nil, 0, false
	}
	switch c := b[0]; {
	case c&0xf0 == 0x90, c == 0xdc, c == 0xdd:
		rest, ok = r.list(b, depth)
		return rest, change.KindList, ok
	case c&0xf0 == 0x80, c == 0xde, c == 0xdf:
		rest, ok = r.mapping(b, depth)
		return rest, change.KindMap, ok
	case c == 0xca:
		const size = 5
		if len(b) < size {
			return nil, 0, false
		}
		r.out = append(r.out, b[:size]...)
		return b[size:], change.KindDouble, true
	case isExtension(c):
		e, rest, ok := extensionOf(b)
		if !ok || e.kind == comparisonOnly && len(e.data) > 0 {
			return nil, 0, false
		}
		r.out = e.append(r.out)
		return rest, change.KindOpaque, true
	}
	return r.scalar(b)
}

// scalar reads a value that is neither a collection nor an extension.
func (r *repacker) scalar(b []byte) (rest []byte, kind change.Kind, ok bool) {
	u := unpacker{rest: b}
	if text, ok := u.raw(); ok {
		r.out = append(change.AppendTextHead(r.out, uint64(len(text))), text...)
		if len(text) > 0 && (change.Kind(text[0]) == change.KindString || change.Kind(text[0]) == change.KindBlob) {
			return u.rest, change.Kind(text[0]), true
		}
		return u.rest, change.KindOpaque, true
	}
	v, _, ok := u.next()
	switch v.Kind() {
	case change.KindInteger:
		r.out = change.AppendInteger(r.out, v.Integer())
	case change.KindUnsigned:
		r.out = binary.BigEndian.AppendUint64(append(r.out, 0xcf), v.Unsigned())
	default:
		r.out = append(r.out, b[:len(b)-len(u.rest)]...)
	}
	return u.rest, v.Kind(), ok
}

// head reads the head of a collection and its order marker, and appends both. It returns how
// many elements or pairs follow.
func (r *repacker) head(b []byte, kind change.Kind) (rest []byte, n int, flags byte, ok bool) {
	u := unpacker{rest: b}
	_, n, ok = u.next()
	if !ok || n > len(u.rest) {
		return nil, 0, 0, false
	}
	rest = u.rest
	marked := n > 0 && len(rest) > 0 && isMarker(rest[0])
	if marked {
		var e extension
		if e, rest, ok = extensionOf(rest); !ok || e.kind == comparisonOnly && len(e.data) > 0 {
			return nil, 0, 0, false
		}
		n--
		flags = e.kind & flagsList
		if kind == change.KindMap {
			flags = e.kind & flagsMap
			if len(rest) == 0 {
				return nil, 0, 0, false
			}
			rest = rest[1:] // nil, or whatever it is
		}
	}
	if flags == 0 {
		r.out = change.AppendHead(r.out, kind, uint64(n))
		return rest, n, 0, true
	}
	r.out = append(change.AppendHead(r.out, kind, uint64(n+1)), 0xc7, 0, flags)
	if kind == change.KindMap {
		r.out = append(r.out, 0xc0)
	}
	return rest, n, flags, true
}

// list reads a list.
func (r *repacker) list(b []byte, depth int) (rest []byte, ok bool) {
	rest, n, flags, ok := r.head(b, change.KindList)
	before := -1
	for range n {
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

// mapping reads a map.
func (r *repacker) mapping(b []byte, depth int) (rest []byte, ok bool) {
	rest, n, flags, ok := r.head(b, change.KindMap)
	if !ok {
		return nil, false
	}
	first, start := len(r.pairs), len(r.out)
	defer func() { r.pairs = r.pairs[:first] }()
	for range n {
		var kind change.Kind
		p := pair{key: len(r.out)}
		if rest, kind, ok = r.value(rest, depth+1); !ok || !isMapKey(kind) {
			return nil, false
		}
		p.value = len(r.out)
		if rest, _, ok = r.value(rest, depth+1); !ok {
			return nil, false
		}
		p.end = len(r.out)
		r.pairs = append(r.pairs, p)
	}
	pairs := r.pairs[first:]
	if !r.isSorted(pairs) {
		if flags&flagOrdered != 0 {
			return nil, false
		}
		r.sort(pairs, start)
	}
	for i := 1; i < len(pairs); i++ {
		if r.compareKeys(pairs[i-1], pairs[i]) == 0 {
			return nil, false
		}
	}
	return rest, true
}

func (r *repacker) compareKeys(a, b pair) int {
	return comparePacked(r.out[a.key:a.value], r.out[b.key:b.value])
}

func (r *repacker) isSorted(pairs []pair) bool { return slices.IsSortedFunc(pairs, r.compareKeys) }

// sort sorts the pairs, which are packed from start on.
func (r *repacker) sort(pairs []pair, start int) {
	slices.SortFunc(pairs, r.compareKeys)
	r.moved = r.moved[:0]
	for i, p := range pairs {
		at := start + len(r.moved)
		r.moved = append(r.moved, r.out[p.key:p.end]...)
		pairs[i] = pair{at, at + p.value - p.key, start + len(r.moved)}
	}
	copy(r.out[start:], r.moved)
}

// isMapKey reports whether the server takes a key of that kind.
func isMapKey(kind change.Kind) bool {
	switch kind {
	case change.KindInteger, change.KindUnsigned, change.KindString, change.KindBlob:
		return true
	}
	return false
}

// extension is an extension of MessagePack.
type extension struct {
	kind byte
	data []byte
}

func isExtension(c byte) bool { return c >= 0xc7 && c <= 0xc9 || c >= 0xd4 && c <= 0xd8 }

// isMarker reports whether the server takes an extension with that first byte, in front of a
// collection, for the order marker: any but the one with a single byte of data.
func isMarker(c byte) bool { return isExtension(c) && c != 0xd4 }

// extensionOf reads an extension, and returns what is behind it.
func extensionOf(b []byte) (e extension, rest []byte, ok bool) {
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
		return e, nil, false
	}
	if n >= uint64(len(b)-at) {
		return e, nil, false
	}
	data := b[at+1:]
	return extension{b[at], data[:n]}, data[n:], true
}

// append appends the shortest form of e.
func (e extension) append(b []byte) []byte {
	switch n := len(e.data); {
	case n == 1, n == 2, n == 4, n == 8, n == 16:
		b = append(b, 0xd4+byte(bits.Len(uint(n))-1))
	case n <= math.MaxUint8:
		b = append(b, 0xc7, byte(n))
	case n <= math.MaxUint16:
		b = binary.BigEndian.AppendUint16(append(b, 0xc8), uint16(n))
	default:
		b = binary.BigEndian.AppendUint32(append(b, 0xc9), uint32(n))
	}
	return append(append(b, e.kind), e.data...)
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
	case change.KindDouble: // a NaN is equal to every number
		switch x, y := va.Double(), vb.Double(); {
		case x < y:
			order = -1
		case x > y:
			order = 1
		}
	case change.KindList:
		for range min(na, nb) {
			if ua.rest, ub.rest, order = compareNext(ua.rest, ub.rest); order != 0 {
				return nil, nil, order
			}
		}
		order = cmp.Compare(na, nb)
	case change.KindMap:
		order = cmp.Compare(na, nb)
		for range 2 * na {
			if order != 0 {
				return nil, nil, order
			}
			ua.rest, ub.rest, order = compareNext(ua.rest, ub.rest)
		}
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
		_, u.rest, _ = extensionOf(b)
		return change.BytesValue(change.KindOpaque, b[:len(b)-len(u.rest)]), 0
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
	if v.Kind().IsCollection() && length > 0 && isMarker(u.rest[0]) {
		if _, u.rest, _ = extensionOf(u.rest); v.Kind() == change.KindMap {
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
