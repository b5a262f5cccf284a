package change

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Collections are held packed in Aerospike's dialect of MessagePack
// (aerospike-client-go, packer.go and unpacker.go; aerospike-server, cdt.c):
//
//   - nil, booleans, integers and doubles are MessagePack's own;
//   - strings, blobs and GeoJSON have a string (or binary) header, and their
//     first payload byte is the particle type;
//   - an order is an extension object in front of the first element. It counts in
//     the collection's length; in a map a nil value follows it.

// next reads one value: a scalar whole, of a collection the head with its order
// marker. The formats are MessagePack's (github.com/msgpack/msgpack, spec.md).
func next(b []byte) (Value, []byte, error) {
	if len(b) == 0 {
		return Value{}, nil, errTruncated
	}
	c := b[0]
	switch {
	case c <= 0x7f, c >= 0xe0:
		return IntegerValue(int64(int8(c))), b[1:], nil
	case c <= 0x8f:
		return head(KindMap, uint64(c&0x0f), b[1:])
	case c <= 0x9f:
		return head(KindList, uint64(c&0x0f), b[1:])
	case c <= 0xbf:
		return text(uint64(c&0x1f), b[1:])
	}
	switch c {
	case 0xc0:
		return Value{}, b[1:], nil
	case 0xc2, 0xc3:
		return BoolValue(c == 0xc3), b[1:], nil
	case 0xd4, 0xd5, 0xd6, 0xd7, 0xd8: // fixext 1, 2, 4, 8, 16
		return extension(b, 1, 1<<(c-0xd4))
	}
	n := operand(c)
	if n == 0 {
		return Value{}, nil, fmt.Errorf("byte 0x%02x begins no packed value", c)
	}
	if len(b) < 1+n {
		return Value{}, nil, errTruncated
	}
	return sized(c, b, n)
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

func sized(c byte, b []byte, n int) (Value, []byte, error) {
	u, rest := number(b[1:1+n]), b[1+n:]
	switch c {
	case 0xcc, 0xcd, 0xce, 0xcf:
		return UnsignedValue(u), rest, nil
	case 0xd0, 0xd1, 0xd2, 0xd3:
		unused := 64 - 8*n
		return IntegerValue(int64(u<<unused) >> unused), rest, nil
	case 0xca:
		return DoubleValue(float64(math.Float32frombits(uint32(u)))), rest, nil
	case 0xcb:
		return DoubleValue(math.Float64frombits(u)), rest, nil
	case 0xc7, 0xc8, 0xc9:
		return extension(b, 1+n, u)
	case 0xdc, 0xdd:
		return head(KindList, u, rest)
	case 0xde, 0xdf:
		return head(KindMap, u, rest)
	}
	return text(u, rest)
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

// text reads what a string header of n bytes announces: the particle type and
// the content. A header of 0 bytes has no room for the type; the clients write
// none such, and it is taken for an empty string.
func text(n uint64, b []byte) (Value, []byte, error) {
	if n > uint64(len(b)) {
		return Value{}, nil, errTruncated
	}
	if n == 0 {
		return StringValue(nil), b, nil
	}
	kind, content := Kind(b[0]), b[1:n:n]
	switch kind {
	case KindNil, KindInteger, KindDouble, KindBool, KindMap, KindList:
		return Value{}, nil, fmt.Errorf("%s in the form of a string", kind)
	}
	return Value{kind: kind, raw: content}, b[n:], nil
}

// extension reads an extension object whose type byte is at b[at] and whose n
// bytes follow it.
func extension(b []byte, at int, n uint64) (Value, []byte, error) {
	if n >= uint64(len(b)-at) {
		return Value{}, nil, errTruncated
	}
	end := at + 1 + int(n)
	return Value{kind: KindOpaque, num: uint64(b[at]), raw: b[:end:end]}, b[end:], nil
}

// head makes the Value of a collection of n elements or pairs, b beginning at the
// first of them. An order marker is taken off b and off n.
func head(kind Kind, n uint64, b []byte) (Value, []byte, error) {
	if n > uint64(len(b)) { // an element has at least one byte
		return Value{}, nil, errTruncated
	}
	if n == 0 || !isExtension(b[0]) {
		return Value{kind: kind, num: n << 8}, b, nil
	}
	marker, rest, err := next(b)
	if err != nil {
		return Value{}, nil, err
	}
	if kind == KindMap {
		var beside Value
		if beside, rest, err = next(rest); err != nil {
			return Value{}, nil, err
		}
		if beside.kind != KindNil {
			return Value{}, nil, fmt.Errorf("%s beside a map's order, where nil should be", beside.kind)
		}
	}
	return Value{kind: kind, num: (n-1)<<8 | marker.num&0xff}, rest, nil
}

func isExtension(c byte) bool { return c >= 0xc7 && c <= 0xc9 || c >= 0xd4 && c <= 0xd8 }
