package avro

import (
	"bytes"
	"encoding/binary"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/hamba/avro/v2"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/json"
)

// parseSchema parses a schema, with the defaults of its fields if defaults is set. Its
// errors quote the schema, so they must not be returned to the sender of a body.
func parseSchema(text []byte, defaults bool) (*schemaType, error) {
	var document any
	dec := stdjson.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&document); err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("data after the JSON")
	}
	if err := moveDefaults(document); err != nil {
		return nil, err
	}
	aside, err := stdjson.Marshal(document)
	if err != nil {
		return nil, err
	}
	parsed, err := avro.ParseBytesWithCache(aside, "", &avro.SchemaCache{})
	if err != nil {
		return nil, err
	}
	c := compiler{named: map[string]*schemaType{}}
	t := c.compile(parsed)
	if defaults {
		err = c.encodeDefaults()
	}
	return t, err
}

// defaultProp is the property that keeps a field's default, as text, while the library
// parses the schema. The library panics on the defaults of some recursive records,
// allocates whatever size a fixed claims, and converts a long to a double. A reader of
// untrusted files does not need defaults.
const defaultProp = "aerosink-default"

// moveDefaults renames the property "default" to defaultProp everywhere in a schema.
func moveDefaults(x any) error {
	switch x := x.(type) {
	case []any:
		for _, element := range x {
			if err := moveDefaults(element); err != nil {
				return err
			}
		}
	case map[string]any:
		if def, ok := x["default"]; ok {
			text, err := stdjson.Marshal(def)
			if err != nil {
				return err
			}
			delete(x, "default")
			x[defaultProp] = string(text)
		}
		for _, member := range x {
			if err := moveDefaults(member); err != nil {
				return err
			}
		}
	}
	return nil
}

// compiler converts the library's schemas to types, one for each name.
type compiler struct {
	named    map[string]*schemaType
	defaults []fieldDefault
}

// fieldDefault is the default of a field, which is encoded once all types are complete.
type fieldDefault struct {
	record *schemaType
	field  int
	text   string
}

func (c *compiler) compile(schema avro.Schema) *schemaType {
	if ref, ok := schema.(*avro.RefSchema); ok {
		schema = ref.Schema()
	}
	t := &schemaType{kind: typeKinds[schema.Type()]}
	if named, ok := schema.(avro.NamedSchema); ok {
		t.name = named.FullName()
		if known := c.named[t.name]; known != nil {
			return known
		}
		c.named[t.name] = t
	}
	switch s := schema.(type) {
	case *avro.UnionSchema:
		for _, branch := range s.Types() {
			t.branches = append(t.branches, c.compile(branch))
		}
	case *avro.ArraySchema:
		t.items = c.compile(s.Items())
	case *avro.MapSchema:
		t.items = c.compile(s.Values())
	case *avro.RecordSchema:
		c.record(t, s)
	case *avro.EnumSchema:
		t.symbols = s.Symbols()
	case *avro.FixedSchema:
		t.size = s.Size()
	}
	return t
}

func (c *compiler) record(t *schemaType, s *avro.RecordSchema) {
	t.index = make(map[string]int, len(s.Fields()))
	var defaults []fieldDefault
	for i, f := range s.Fields() {
		of := c.compile(f.Type())
		field := schemaField{name: f.Name(), of: of, absent: of.null()}
		if text, ok := f.Prop(defaultProp).(string); ok {
			field.absent = nil
			defaults = append(defaults, fieldDefault{t, i, text})
		}
		t.index[f.Name()] = i
		t.fields = append(t.fields, field)
	}
	c.defaults = append(c.defaults, defaults...)
}

// encodeDefaults encodes the defaults, those of inner records first, because outer ones may
// depend on them.
func (c *compiler) encodeDefaults() (err error) {
	for _, d := range c.defaults {
		f := &d.record.fields[d.field]
		if f.absent, err = f.of.encode([]byte(d.text)); err != nil {
			return fmt.Errorf("the default of field %s.%s: %w", d.record.name, f.name, err)
		}
	}
	return nil
}

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

// typeKind is the kind of a schemaType.
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

var typeKinds = map[avro.Type]typeKind{
	avro.Null: kindNull, avro.Boolean: kindBoolean, avro.Int: kindInt, avro.Long: kindLong, avro.Float: kindFloat, avro.Double: kindDouble,
	avro.String: kindString, avro.Bytes: kindBytes, avro.Fixed: kindFixed, avro.Enum: kindEnum, avro.Array: kindArray, avro.Map: kindMap,
	avro.Record: kindRecord, avro.Error: kindRecord, avro.Union: kindUnion,
}

// String returns the name of the kind in schemas.
func (k typeKind) String() string {
	for name, kind := range typeKinds {
		if kind == k && name != avro.Error {
			return string(name)
		}
	}
	return "unknown"
}
