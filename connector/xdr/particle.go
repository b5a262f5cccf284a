package xdr

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/plural"
)

// particle sets v from the bytes of a bin (aerospike-server, particle.c and particle_*.c, the
// *_from_wire functions). A type without a name is kept as bytes.
func particle(v *change.Value, kind change.Kind, b []byte) (err error) {
	switch kind {
	case change.KindNil:
		if len(b) > 0 {
			return errors.New("nil with " + plural.Of(len(b), "byte"))
		}
		*v = change.Value{}
	case change.KindInteger:
		*v, err = integer(b)
	case change.KindDouble:
		if len(b) != 8 {
			return fmt.Errorf("%s, want 8", plural.Of(len(b), "byte"))
		}
		*v = change.DoubleValue(math.Float64frombits(binary.BigEndian.Uint64(b)))
	case change.KindBool:
		if len(b) != 1 || b[0] > 1 {
			return fmt.Errorf("bool of %s, want one byte that is 0 or 1", plural.Of(len(b), "byte"))
		}
		*v = change.BoolValue(b[0] == 1)
	case change.KindString:
		*v = change.StringValue(b)
	case change.KindList:
		*v, err = change.ListValue(b)
	case change.KindMap:
		*v, err = change.MapValue(b)
	case change.KindGeoJSON:
		*v, err = change.GeoJSONParticle(b)
	default:
		*v = change.BytesValue(kind, b)
	}
	return err
}

// integer accepts the sizes that the server accepts.
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
	return change.Value{}, fmt.Errorf("%d bytes, want 8, 4, 2 or 1", len(b))
}

// key sets v from the field of the user key: a particle type and its bytes.
func key(v *change.Value, b []byte, at int) error {
	if len(b) == 0 {
		return errorAt(BadKey, at, "no bytes, want at least a type")
	}
	kind := change.Kind(b[0])
	if notKey(kind) {
		return errorAt(BadKey, at, "particle type %d cannot be a user key", b[0])
	}
	if err := particle(v, kind, b[1:]); err != nil {
		return errorAt(BadKey, at, "particle type %d: %v", b[0], err)
	}
	return nil
}

// notKey reports whether clients refuse the particle type for a user key.
func notKey(kind change.Kind) bool {
	switch kind {
	case change.KindNil, change.KindBool, change.KindList, change.KindMap, change.KindGeoJSON:
		return true
	}
	return false
}
