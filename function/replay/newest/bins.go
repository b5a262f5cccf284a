package newest

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/aerosink/aerosink/connector/change"
)

// errParts is the error of a temporary file that was changed by somebody else.
var errParts = errors.New("the parts of a record in a temporary file cannot be read")

// appendBins appends user key and bins of c, without loss.
func appendBins(dst []byte, c *change.Change) []byte {
	dst = appendValue(dst, c.Key)
	for i := range c.Bins {
		dst = appendBytes(dst, []byte(c.Bins[i].Name))
		dst = appendValue(dst, c.Bins[i].Value)
	}
	return dst
}

// parseBins reads what appendBins has appended. The values share the memory of b.
func parseBins(b []byte, c *change.Change) (err error) {
	if c.Key, b, err = parseValue(b); err != nil {
		return err
	}
	for len(b) > 0 {
		var bin change.Bin
		name, rest, err := parseBytes(b)
		if err != nil {
			return err
		}
		bin.Name = string(name)
		if bin.Value, b, err = parseValue(rest); err != nil {
			return err
		}
		c.Bins = append(c.Bins, bin)
	}
	return nil
}

// cells marks the kind of GeoJSON that has its cells.
const cells = 1 << 15

// appendValue appends the kind of a value, then a number of 8 bytes, or bytes with their
// length.
func appendValue(dst []byte, v change.Value) []byte {
	kind := uint16(v.Kind())
	particle, hasCells := v.GeoJSONParticle()
	if hasCells {
		kind |= cells
	}
	dst = binary.LittleEndian.AppendUint16(dst, kind)
	switch v.Kind() {
	case change.KindNil:
		return dst
	case change.KindInteger, change.KindBool:
		return binary.LittleEndian.AppendUint64(dst, uint64(v.Integer()))
	case change.KindUnsigned:
		return binary.LittleEndian.AppendUint64(dst, v.Unsigned())
	case change.KindDouble:
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(v.Double()))
	case change.KindList, change.KindMap:
		return appendBytes(dst, v.Packed())
	}
	if hasCells {
		return appendBytes(dst, particle)
	}
	return appendBytes(dst, v.Bytes())
}

// parseValue reads a value, and returns what follows.
func parseValue(b []byte) (v change.Value, rest []byte, err error) {
	if len(b) < 2 {
		return v, nil, errParts
	}
	kind := binary.LittleEndian.Uint16(b)
	b = b[2:]
	switch k := change.Kind(kind &^ cells); k {
	case change.KindNil:
		return v, b, nil
	case change.KindInteger, change.KindBool, change.KindUnsigned, change.KindDouble:
		if len(b) < 8 {
			return v, nil, errParts
		}
		return number(k, binary.LittleEndian.Uint64(b)), b[8:], nil
	default:
		text, rest, err := parseBytes(b)
		if err != nil {
			return v, nil, err
		}
		v, err = bytesValue(k, text, kind&cells != 0)
		return v, rest, err
	}
}

// number returns a value of a kind that is a number, from its bits.
func number(k change.Kind, bits uint64) change.Value {
	switch k {
	case change.KindBool:
		return change.BoolValue(bits != 0)
	case change.KindUnsigned:
		return change.UnsignedValue(bits)
	case change.KindDouble:
		return change.DoubleValue(math.Float64frombits(bits))
	}
	return change.IntegerValue(int64(bits))
}

// bytesValue returns a value of any other kind.
func bytesValue(k change.Kind, text []byte, hasCells bool) (change.Value, error) {
	switch {
	case hasCells:
		return change.GeoJSONParticle(text)
	case k == change.KindGeoJSON:
		return change.GeoJSONValue(text), nil
	case k == change.KindList:
		return change.ListValue(text)
	case k == change.KindMap:
		return change.MapValue(text)
	case k == change.KindString:
		return change.StringValue(text), nil
	}
	return change.BytesValue(k, text), nil
}

func appendBytes(dst, b []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

// parseBytes reads bytes with their length, and returns what follows.
func parseBytes(b []byte) (text, rest []byte, err error) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) {
		return nil, nil, errParts
	}
	return b[size : size+int(n)], b[size+int(n):], nil
}
