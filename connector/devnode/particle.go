package devnode

import (
	"encoding/binary"
	"encoding/json"
	"math"

	"github.com/aerosink/aerosink/connector/change"
)

// parseParticle returns the value of a bin that a client writes, if it is neither a list nor
// a map. The value keeps b.
func parseParticle(kind change.Kind, b []byte) (change.Value, Code) {
	switch kind {
	case change.KindNil:
		return change.Value{}, OK
	case change.KindInteger:
		i, ok := parseInteger(b)
		return change.IntegerValue(i), codeIf(!ok, Parameter)
	case change.KindDouble:
		if len(b) != 8 {
			return change.Value{}, Parameter
		}
		return change.DoubleValue(math.Float64frombits(binary.BigEndian.Uint64(b))), OK
	case change.KindBool:
		if len(b) != 1 || b[0] > 1 {
			return change.Value{}, Parameter
		}
		return change.BoolValue(b[0] == 1), OK
	case change.KindString:
		return change.StringValue(b), OK
	case change.KindBlob, change.KindJavaBlob, change.KindCSharpBlob, change.KindPythonBlob, change.KindRubyBlob,
		change.KindPHPBlob, change.KindErlangBlob, change.KindVector:
		return change.BytesValue(kind, b), OK
	case change.KindHLL:
		return change.BytesValue(kind, b), codeIf(!isHLL(b), Parameter)
	case change.KindGeoJSON:
		return parseGeoJSON(b)
	}
	return change.Value{}, Parameter
}

func codeIf(fails bool, code Code) Code {
	if fails {
		return code
	}
	return OK
}

// parseInteger accepts the sizes that the server accepts.
func parseInteger(b []byte) (int64, bool) {
	switch len(b) {
	case 8:
		return int64(binary.BigEndian.Uint64(b)), true
	case 4:
		return int64(int32(binary.BigEndian.Uint32(b))), true
	case 2:
		return int64(int16(binary.BigEndian.Uint16(b))), true
	case 1:
		return int64(int8(b[0])), true
	}
	return 0, false
}

// isHLL reports whether b is a HyperLogLog: flags, index bits, minhash bits, 8 bytes of
// cache, and registers (aerospike-server, particle_hll.c).
func isHLL(b []byte) bool {
	const header = 11
	if len(b) < header {
		return false
	}
	index, minhash := int(b[1]), int(b[2])
	if index < 4 || index > 16 || minhash != 0 && (minhash < 4 || minhash > 51) || index+minhash > 64 {
		return false
	}
	const hllBits = 6
	return len(b) == header+(((hllBits+minhash)<<index)+7)/8
}

// parseGeoJSON returns the particle without cells. A client sends it with none, or with
// cells that the server ignores.
func parseGeoJSON(b []byte) (change.Value, Code) {
	v, err := change.GeoJSONParticle(b)
	if err != nil {
		return change.Value{}, Parameter
	}
	if !isGeoJSON(v.Bytes(), true) {
		return change.Value{}, BadGeoJSON
	}
	const header = 3
	particle := append(make([]byte, header, header+len(v.Bytes())), v.Bytes()...)
	v, err = change.GeoJSONParticle(particle)
	return v, codeIf(err != nil, Parameter)
}

// isGeoJSON reports whether text is an object with a type that has a geometry, or a feature
// with such an object.
func isGeoJSON(text []byte, orFeature bool) bool {
	var object struct {
		Type        string          `json:"type"`
		Coordinates json.RawMessage `json:"coordinates"`
		Geometry    json.RawMessage `json:"geometry"`
	}
	if json.Unmarshal(text, &object) != nil {
		return false
	}
	switch object.Type {
	case "Point", "Polygon", "MultiPolygon", "AeroCircle":
		return object.Coordinates != nil
	case "Feature":
		return orFeature && isGeoJSON(object.Geometry, false)
	}
	return false
}
