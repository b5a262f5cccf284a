package avro

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"

	"github.com/hamba/avro/v2"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/json"
)

// avroKind is what a type of a schema is.
type avroKind uint8

const (
	avroNull avroKind = iota
	avroBoolean
	avroInt
	avroLong
	avroFloat
	avroDouble
	avroString
	avroBytes
	avroFixed
	avroEnum
	avroArray
	avroMap
	avroRecord
	avroUnion
)

var avroKinds = map[avro.Type]avroKind{
	avro.Null: avroNull, avro.Boolean: avroBoolean, avro.Int: avroInt, avro.Long: avroLong, avro.Float: avroFloat, avro.Double: avroDouble,
	avro.String: avroString, avro.Bytes: avroBytes, avro.Fixed: avroFixed, avro.Enum: avroEnum, avro.Array: avroArray, avro.Map: avroMap,
	avro.Record: avroRecord, avro.Error: avroRecord, avro.Union: avroUnion,
}

// String returns the kind as schemas write it.
func (k avroKind) String() string {
	for name, kind := range avroKinds {
		if kind == k && name != avro.Error {
			return string(name)
		}
	}
	return "unknown"
}

// avroType is a type of a schema, as writer and reader need it. The type of a
// schema that refers to itself does so too.
type avroType struct {
	kind     avroKind
	name     string         // of a record, an enum or a fixed
	branches []*avroType    // of a union
	items    *avroType      // of an array; of a map, its values
	fields   []avroField    // of a record
	places   map[string]int // of the fields, by name
	symbols  []string       // of an enum
	size     int            // of a fixed, in bytes
}

// avroField is a field of a record.
type avroField struct {
	name   string
	of     *avroType
	absent []byte // what stands where there is no value; nil where there has to be one
}

// field returns the field of a name, nil when there is none.
func (t *avroType) field(name string) *avroField {
	if i, ok := t.places[name]; ok {
		return &t.fields[i]
	}
	return nil
}

// alternatives returns the branches of a union, and of another type itself.
func (t *avroType) alternatives() []*avroType {
	if t.kind == avroUnion {
		return t.branches
	}
	return []*avroType{t}
}

// isRecordOrMap reports whether t can hold what has names.
func (t *avroType) isRecordOrMap() bool { return t.kind == avroRecord || t.kind == avroMap }

// takes reports the kinds of values of which some fit t, which is no union.
func (t *avroType) takes(kind change.Kind) bool {
	switch t.kind {
	case avroNull:
		return kind == change.KindNil
	case avroBoolean:
		return kind == change.KindBool
	case avroInt, avroLong:
		return kind == change.KindInteger
	case avroDouble, avroFloat:
		return kind == change.KindDouble || kind == change.KindInteger
	case avroString:
		return kind == change.KindString || kind == change.KindGeoJSON
	case avroEnum:
		return kind == change.KindString
	case avroBytes, avroFixed:
		return format.IsBytes(kind)
	case avroArray:
		return kind == change.KindList
	case avroMap, avroRecord:
		return kind == change.KindMap
	}
	return false
}

// null returns how null is written as t, nil where t has none.
func (t *avroType) null() []byte {
	w := avroWriter{dst: []byte{}}
	if !w.value(t, change.Value{}, nil) {
		return nil
	}
	return w.dst
}

// encode returns how a default, which is JSON, is written as t.
func (t *avroType) encode(text []byte) ([]byte, error) {
	v, err := json.ParseValue(text, change.Unordered)
	if err != nil {
		return nil, err
	}
	w := avroWriter{dst: []byte{}}
	elements := v.Elements()
	if w.value(t, v, &elements) {
		return w.dst, nil
	}
	// Bytes are a string, each a code point.
	if b, ok := latin1(v); ok && w.value(t, change.BytesValue(change.KindBlob, b), nil) {
		return w.dst, nil
	}
	return nil, fmt.Errorf("it does not fit the type %s", t.kind)
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

// appendUnion appends which branch of t is taken, when t is a union.
func (t *avroType) appendUnion(dst []byte, branch int) []byte {
	if t.kind != avroUnion {
		return dst
	}
	return binary.AppendVarint(dst, int64(branch))
}
