package avro

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/json"
)

// schemaType is a type of a schema, as writer and reader need it. A schema that refers to
// itself becomes a cyclic type.
type schemaType struct {
	kind     typeKind
	name     string         // of a record, an enum or a fixed
	branches []*schemaType  // of a union
	items    *schemaType    // of an array; of a map, its values
	fields   []schemaField  // of a record
	index    map[string]int // of the fields, by name
	symbols  []string       // of an enum
	size     int            // of a fixed, in bytes
}

// schemaField is a field of a record.
type schemaField struct {
	name   string
	of     *schemaType
	absent []byte // what is written if there is no value; nil if there must be one
}

// field returns the named field, or nil.
func (t *schemaType) field(name string) *schemaField {
	if i, ok := t.index[name]; ok {
		return &t.fields[i]
	}
	return nil
}

// alternatives returns the branches of a union; for any other type, the type itself.
func (t *schemaType) alternatives() []*schemaType {
	if t.kind == kindUnion {
		return t.branches
	}
	return []*schemaType{t}
}

// isRecordOrMap reports whether t can hold bins or metadata.
func (t *schemaType) isRecordOrMap() bool { return t.kind == kindRecord || t.kind == kindMap }

// accepts reports whether some values of the kind fit t, which is not a union.
func (t *schemaType) accepts(kind change.Kind) bool {
	switch t.kind {
	case kindNull:
		return kind == change.KindNil
	case kindBoolean:
		return kind == change.KindBool
	case kindInt, kindLong:
		return kind == change.KindInteger
	case kindDouble, kindFloat:
		return kind == change.KindDouble || kind == change.KindInteger
	case kindString:
		return kind == change.KindString || kind == change.KindGeoJSON
	case kindEnum:
		return kind == change.KindString
	case kindBytes, kindFixed:
		return format.IsBytes(kind)
	case kindArray:
		return kind == change.KindList
	case kindMap, kindRecord:
		return kind == change.KindMap
	}
	return false
}

// null returns null as t encodes it, or nil if t does not accept null.
func (t *schemaType) null() []byte {
	w := writer{dst: []byte{}}
	if !w.value(t, change.Value{}, nil) {
		return nil
	}
	return w.dst
}

// encode returns a default, which is JSON, as t encodes it.
func (t *schemaType) encode(text []byte) ([]byte, error) {
	v, err := json.ParseValue(text, change.Unordered)
	if err != nil {
		return nil, err
	}
	w := writer{dst: []byte{}}
	elements := v.Elements()
	if w.value(t, v, &elements) {
		return w.dst, nil
	}
	// Bytes are written as a string with a code point for each byte.
	if b, ok := latin1(v); ok && w.value(t, change.BytesValue(change.KindBlob, b), nil) {
		return w.dst, nil
	}
	return nil, fmt.Errorf("does not fit the type %s", t.kind)
}

// latin1 returns the bytes whose values are the code points of a string.
func latin1(v change.Value) ([]byte, bool) {
	b := []byte{}
	for _, r := range string(v.Bytes()) {
		if r > 0xff || r == utf8.RuneError {
			return nil, false
		}
		b = append(b, byte(r))
	}
	return b, v.Kind() == change.KindString
}

// appendUnion appends the index of the branch, if t is a union.
func (t *schemaType) appendUnion(dst []byte, branch int) []byte {
	if t.kind != kindUnion {
		return dst
	}
	return binary.AppendVarint(dst, int64(branch))
}

// typeKind is the kind of a schemaType. Those up to kindBytes need no definition.
type typeKind uint8

const (
	kindNull typeKind = iota
	kindBoolean
	kindInt
	kindLong
	kindFloat
	kindDouble
	kindString
	kindBytes
	kindFixed
	kindEnum
	kindArray
	kindMap
	kindRecord
	kindUnion
)

// typeKinds are the kinds by their names in schemas. A union is an array in a schema, and
// the parser names it so.
var typeKinds = map[string]typeKind{
	"null": kindNull, "boolean": kindBoolean, "int": kindInt, "long": kindLong, "float": kindFloat, "double": kindDouble,
	"string": kindString, "bytes": kindBytes, "fixed": kindFixed, "enum": kindEnum, "array": kindArray, "map": kindMap,
	"record": kindRecord, "error": kindRecord, "union": kindUnion,
}

// String returns the name of the kind in schemas.
func (k typeKind) String() string {
	for name, kind := range typeKinds {
		if kind == k && name != "error" {
			return name
		}
	}
	return "unknown"
}
