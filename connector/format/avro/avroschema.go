package avro

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/hamba/avro/v2"
)

// defaultAside is where a field's default waits, as text, while the library parses
// the schema. The library panics on the defaults of some recursive records, takes
// memory for what a fixed claims, and carries a long through a double; and a reader
// of untrusted files has no use for defaults at all.
const defaultAside = "aerosink-default"

// parseAvro parses a schema. Its errors quote it, and are not for those who sent it
// in a body. Defaults are read when they are asked for.
func parseAvro(text []byte, defaults bool) (*avroType, error) {
	var document any
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&document); err != nil {
		return nil, fmt.Errorf("it is no JSON: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON")
	}
	if err := setDefaultsAside(document); err != nil {
		return nil, err
	}
	aside, err := json.Marshal(document)
	if err != nil {
		return nil, err
	}
	parsed, err := avro.ParseBytesWithCache(aside, "", &avro.SchemaCache{})
	if err != nil {
		return nil, err
	}
	c := avroCompiler{named: map[string]*avroType{}}
	t := c.compile(parsed)
	if defaults {
		err = c.settle()
	}
	return t, err
}

func setDefaultsAside(x any) error {
	switch x := x.(type) {
	case []any:
		for _, element := range x {
			if err := setDefaultsAside(element); err != nil {
				return err
			}
		}
	case map[string]any:
		if def, ok := x["default"]; ok {
			text, err := json.Marshal(def)
			if err != nil {
				return err
			}
			delete(x, "default")
			x[defaultAside] = string(text)
		}
		for _, member := range x {
			if err := setDefaultsAside(member); err != nil {
				return err
			}
		}
	}
	return nil
}

// avroCompiler makes types of the library's schemas, one of each name.
type avroCompiler struct {
	named    map[string]*avroType
	defaults []avroDefault
}

// avroDefault is the default of a field, to be encoded when all types are whole.
type avroDefault struct {
	record *avroType
	field  int
	text   string
}

func (c *avroCompiler) compile(schema avro.Schema) *avroType {
	if ref, ok := schema.(*avro.RefSchema); ok {
		schema = ref.Schema()
	}
	t := &avroType{kind: avroKinds[schema.Type()]}
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

func (c *avroCompiler) record(t *avroType, s *avro.RecordSchema) {
	t.places = make(map[string]int, len(s.Fields()))
	var defaults []avroDefault
	for i, f := range s.Fields() {
		of := c.compile(f.Type())
		field := avroField{name: f.Name(), of: of, absent: of.null()}
		if text, ok := f.Prop(defaultAside).(string); ok {
			field.absent = nil
			defaults = append(defaults, avroDefault{t, i, text})
		}
		t.places[f.Name()] = i
		t.fields = append(t.fields, field)
	}
	c.defaults = append(c.defaults, defaults...)
}

// settle encodes the defaults, those of inner records first, for an outer one may
// stand on them.
func (c *avroCompiler) settle() (err error) {
	for _, d := range c.defaults {
		f := &d.record.fields[d.field]
		if f.absent, err = f.of.encode([]byte(d.text)); err != nil {
			return fmt.Errorf("the default of field %s.%s: %w", d.record.name, f.name, err)
		}
	}
	return nil
}
