package devnode

import (
	"encoding/binary"
	"math"

	"github.com/aerosink/aerosink/connector/change"
)

// unpacker reads MessagePack with the particle types that Aerospike adds to strings.
type unpacker struct{ rest []byte }

// next reads a value. Of a list or map it reads only the head, and returns the number of
// elements or pairs.
func (u *unpacker) next() (v change.Value, length int, ok bool) {
	b := u.rest
	if len(b) == 0 {
		return v, 0, false
	}
	c := b[0]
	switch {
	case c <= 0x7f, c >= 0xe0:
		return change.IntegerValue(int64(int8(c))), 0, u.skip(1)
	case c <= 0x8f:
		return change.BytesValue(change.KindMap, nil), int(c & 0x0f), u.skip(1)
	case c <= 0x9f:
		return change.BytesValue(change.KindList, nil), int(c & 0x0f), u.skip(1)
	case c <= 0xbf, c == 0xd9, c == 0xda, c == 0xdb, c == 0xc4, c == 0xc5, c == 0xc6:
		text, ok := u.raw()
		if !ok || len(text) == 0 {
			return v, 0, false
		}
		v, code := parseTyped(text)
		return v, 0, code == OK
	}
	switch c {
	case 0xc0:
		return v, 0, u.skip(1)
	case 0xc2, 0xc3:
		return change.BoolValue(c == 0xc3), 0, u.skip(1)
	}
	size := numberSize(c)
	if size == 0 || len(b) < 1+size {
		return v, 0, false
	}
	return u.sized(c, b[1:1+size])
}

// numberSize returns how many bytes of a number follow the first byte of a value.
func numberSize(c byte) int {
	switch c {
	case 0xcc, 0xd0: // unsigned, integer
		return 1
	case 0xcd, 0xd1, 0xdc, 0xde: // and array, map
		return 2
	case 0xca, 0xce, 0xd2, 0xdd, 0xdf: // and float
		return 4
	case 0xcb, 0xcf, 0xd3: // double, unsigned, integer
		return 8
	}
	return 0
}

// parseTyped returns a string, blob or GeoJSON of MessagePack, which begins with the particle
// type.
func parseTyped(text []byte) (change.Value, Code) {
	switch kind := change.Kind(text[0]); kind {
	case change.KindString:
		return change.StringValue(text[1:]), OK
	case change.KindGeoJSON:
		return change.GeoJSONValue(text[1:]), OK
	case change.KindBlob, change.KindHLL:
		return change.BytesValue(kind, text[1:]), OK
	}
	return change.Value{}, Parameter
}

// sized reads a value whose first byte is followed by a number.
func (u *unpacker) sized(c byte, number []byte) (v change.Value, length int, ok bool) {
	var wide [8]byte
	copy(wide[8-len(number):], number)
	n := binary.BigEndian.Uint64(wide[:])
	u.skip(1 + len(number))
	switch c {
	case 0xca:
		return change.DoubleValue(float64(math.Float32frombits(uint32(n)))), 0, true
	case 0xcb:
		return change.DoubleValue(math.Float64frombits(n)), 0, true
	case 0xcc, 0xcd, 0xce, 0xcf:
		return change.UnsignedValue(n), 0, true
	case 0xd0, 0xd1, 0xd2, 0xd3:
		unused := 64 - 8*len(number)
		return change.IntegerValue(int64(n<<unused) >> unused), 0, true
	case 0xdc, 0xdd:
		return change.BytesValue(change.KindList, nil), int(n), n <= uint64(len(u.rest))
	}
	return change.BytesValue(change.KindMap, nil), int(n), n <= uint64(len(u.rest))
}

// raw reads a string without a particle type, such as the name of a bin.
func (u *unpacker) raw() (text []byte, ok bool) {
	b := u.rest
	if len(b) == 0 {
		return nil, false
	}
	c, at, n := b[0], 1, uint64(0)
	switch {
	case c >= 0xa0 && c <= 0xbf:
		n = uint64(c & 0x1f)
	case (c == 0xd9 || c == 0xc4) && len(b) > 1:
		at, n = 2, uint64(b[1])
	case (c == 0xda || c == 0xc5) && len(b) > 2:
		at, n = 3, uint64(binary.BigEndian.Uint16(b[1:]))
	case (c == 0xdb || c == 0xc6) && len(b) > 4:
		at, n = 5, uint64(binary.BigEndian.Uint32(b[1:]))
	default:
		return nil, false
	}
	if n > uint64(len(b)-at) {
		return nil, false
	}
	end := at + int(n)
	return b[at:end:end], u.skip(end)
}

func (u *unpacker) skip(n int) bool {
	u.rest = u.rest[n:]
	return true
}
