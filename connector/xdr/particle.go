package xdr

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/aerosink/aerosink/connector/change"
)

// particle makes a value of a bin's wire bytes (aerospike-server, particle.c and
// particle_*.c, the *_from_wire functions). A type without a name is kept as
// bytes.
func particle(kind change.Kind, b []byte) (change.Value, error) {
	switch kind {
	case change.KindNil:
		if len(b) > 0 {
			return change.Value{}, fmt.Errorf("%d bytes of nothing", len(b))
		}
		return change.Value{}, nil
	case change.KindInteger:
		return integer(b)
	case change.KindDouble:
		if len(b) != 8 {
			return change.Value{}, fmt.Errorf("%d bytes, not 8", len(b))
		}
		return change.DoubleValue(math.Float64frombits(binary.BigEndian.Uint64(b))), nil
	case change.KindBool:
		if len(b) != 1 || b[0] > 1 {
			return change.Value{}, fmt.Errorf("neither 0 nor 1 in one byte, but %d bytes", len(b))
		}
		return change.BoolValue(b[0] == 1), nil
	case change.KindString:
		return change.StringValue(b), nil
	case change.KindList:
		return change.ListValue(b)
	case change.KindMap:
		return change.MapValue(b)
	case change.KindGeoJSON:
		return change.GeoJSONParticle(b)
	}
	return change.BytesValue(kind, b), nil
}

// integer takes the sizes that the server takes.
func integer(b []byte) (change.Value, error) {
	switch len(b) {
	case 8:
		return change.IntegerValue(int64(binary.BigEndian.Uint64(b))), nil
	case 4:
		return change.IntegerValue(int64(int32(binary.BigEndian.Uint32(b)))), nil
	case 2:
		return change.IntegerValue(int64(int16(binary.BigEndian.Uint16(b)))), nil
	case 1:
		return change.IntegerValue(int64(int8(b[0]))), nil
	}
	return change.Value{}, fmt.Errorf("%d bytes, not 8, 4, 2 or 1", len(b))
}

// key makes a value of the user key field: a particle type and its bytes.
func key(b []byte, at int) (change.Value, error) {
	if len(b) == 0 {
		return change.Value{}, faulty(BadKey, at, "no bytes, not even a type")
	}
	kind := change.Kind(b[0])
	if notKey(kind) {
		return change.Value{}, faulty(BadKey, at, "particle type %d is no user key", b[0])
	}
	v, err := particle(kind, b[1:])
	if err != nil {
		return change.Value{}, faulty(BadKey, at, "particle type %d: %v", b[0], err)
	}
	return v, nil
}

// notKey reports the particle types that the clients refuse as user keys.
func notKey(kind change.Kind) bool {
	switch kind {
	case change.KindNil, change.KindBool, change.KindList, change.KindMap, change.KindGeoJSON:
		return true
	}
	return false
}
