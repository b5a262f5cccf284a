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
	case change.KindHLL:
		return change.BytesValue(kind, b), codeIf(!isHLL(b), Parameter)
	case change.KindGeoJSON:
		return parseGeoJSON(b)
	}
	return change.BytesValue(kind, b), codeIf(!isBlob(kind), Parameter)
}

// isParticle reports whether a bin may have a value of that kind.
func isParticle(kind change.Kind) bool {
	switch kind {
	case change.KindInteger, change.KindDouble, change.KindString, change.KindBool, change.KindHLL, change.KindMap, change.KindList, change.KindGeoJSON:
		return true
	}
	return isBlob(kind)
}

// isBlob reports whether the server keeps values of that kind as they are: blobs of all
// languages, and vectors.
func isBlob(kind change.Kind) bool {
	switch kind {
	case change.KindBlob, change.KindJavaBlob, change.KindCSharpBlob, change.KindPythonBlob, change.KindRubyBlob,
		change.KindPHPBlob, change.KindErlangBlob, change.KindVector:
		return true
	}
	return false
}

func codeIf(fails bool, code Code) Code {
	if fails {
		return code
	}
	return OK
}

// parseInteger accepts the sizes that the server accepts. Like the server, it takes those
// below 8 bytes for unsigned numbers.
func parseInteger(b []byte) (int64, bool) {
	switch len(b) {
	case 8:
		return int64(binary.BigEndian.Uint64(b)), true
	case 4:
		return int64(binary.BigEndian.Uint32(b)), true
	case 2:
		return int64(binary.BigEndian.Uint16(b)), true
	case 1:
		return int64(b[0]), true
	}
	return 0, false
}

// isHLL reports whether b is a HyperLogLog: flags, index bits, minhash bits, 8 bytes of
// cache, and registers (aerospike-server, particle_hll.c).
func isHLL(b []byte) bool {
	const header = 11
	if len(b) < header || b[0] != 0 {
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
		return change.Value{}, BadGeoJSON
	}
	flags, ok := geometry(v.Bytes(), true)
	if !ok {
		return change.Value{}, BadGeoJSON
	}
	v, err = change.GeoJSONParticle(append([]byte{flags, 0, 0}, v.Bytes()...))
	return v, codeIf(err != nil, BadGeoJSON)
}

// geometry returns the flags of the particle of a geometry: 1 for a region. It returns false
// if text is neither a geometry nor, if it may be one, a feature with a geometry.
func geometry(text []byte, orFeature bool) (flags byte, ok bool) {
	var object struct {
		Type        string          `json:"type"`
		Coordinates json.RawMessage `json:"coordinates"`
		Geometry    json.RawMessage `json:"geometry"`
	}
	if json.Unmarshal(text, &object) != nil {
		return 0, false
	}
	const region = 1
	switch object.Type {
	case "Point":
		var position []float64
		return 0, json.Unmarshal(object.Coordinates, &position) == nil && len(position) >= 2
	case "Polygon", "MultiPolygon", "AeroCircle":
		var parts []json.RawMessage
		return region, json.Unmarshal(object.Coordinates, &parts) == nil
	case "Feature":
		if orFeature {
			return geometry(object.Geometry, false)
		}
	}
	return 0, false
}
