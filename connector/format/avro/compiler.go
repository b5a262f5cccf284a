package avro

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/twmb/avro"
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
	c := compiler{named: map[string]*schemaType{}}
	reduced, err := stdjson.Marshal(c.reduce(document))
	if err != nil {
		return nil, err
	}
	if c.longestName > maxName {
		return nil, fmt.Errorf("the name of a type has %d bytes, the limit is %d", c.longestName, maxName)
	}
	parsed, err := avro.Parse(string(reduced))
	if err != nil {
		return nil, err
	}
	t, err := c.compile(parsed.Root(), "")
	if err == nil && defaults {
		err = c.encodeDefaults()
	}
	return t, err
}

// maxName is the limit of a type's name and of its namespace, in bytes. A schema has a
// namespace once, but all names in it become longer by it.
const maxName = 1024

// compiler makes types of a schema: it reduces the schema to what the library is to parse,
// and converts the library's nodes.
type compiler struct {
	named       map[string]*schemaType
	values      []any // the defaults, while the library has their indexes
	defaults    []fieldDefault
	longestName int // of a type or a namespace
}

// fieldDefault is the default of a field, which is encoded once all types are complete.
type fieldDefault struct {
	record *schemaType
	field  int
	value  any // as decoded from JSON
}

// defaultProp is the property that has the index of a field's default in place of the
// default. The library would check and encode the defaults of untrusted files, whose reader
// does not need them.
const defaultProp = "aerosink-default"

// reduce returns a schema with the attributes that determine how data are encoded. It
// leaves out logical types, which [Format] ignores; the library refuses some that are
// invalid, where Avro says that they are to be ignored too. It replaces an object whose type
// is not a name by that type.
func (c *compiler) reduce(schema any) any {
	switch s := schema.(type) {
	case []any:
		branches := make([]any, len(s))
		for i, branch := range s {
			branches[i] = c.reduce(branch)
		}
		return branches
	case map[string]any:
		switch of := s["type"].(type) {
		case []any, map[string]any:
			return c.reduce(of)
		}
		return c.reduceObject(s)
	}
	return schema
}

func (c *compiler) reduceObject(s map[string]any) map[string]any {
	reduced := map[string]any{}
	for name, value := range s {
		switch name {
		case "type", "symbols", "size":
			reduced[name] = value
		case "name", "namespace":
			reduced[name] = value
			text, _ := value.(string)
			c.longestName = max(c.longestName, len(text))
		case "items", "values":
			reduced[name] = c.reduce(value)
		case "fields":
			reduced[name] = c.reduceFields(value)
		}
	}
	return reduced
}

func (c *compiler) reduceFields(value any) any {
	fields, ok := value.([]any)
	if !ok {
		return value
	}
	reduced := make([]any, len(fields))
	for i, field := range fields {
		reduced[i] = field
		if f, ok := field.(map[string]any); ok {
			reduced[i] = c.reduceField(f)
		}
	}
	return reduced
}

func (c *compiler) reduceField(f map[string]any) map[string]any {
	reduced := map[string]any{}
	for name, value := range f {
		switch name {
		case "name", "order":
			reduced[name] = value
		case "type":
			reduced[name] = c.reduce(value)
		case "default":
			reduced[defaultProp] = len(c.values)
			c.values = append(c.values, value)
		}
	}
	return reduced
}

// compile returns the type of a node in a namespace.
func (c *compiler) compile(n *avro.SchemaNode, namespace string) (t *schemaType, err error) {
	kind, ok := typeKinds[n.Type]
	if !ok || kind > kindBytes && !isDefinition(n) {
		return c.reference(n.Type, namespace)
	}
	t = &schemaType{kind: kind, symbols: n.Symbols, size: n.Size}
	if n.Name != "" {
		t.name = fullName(n.Name, n.Namespace)
		c.named[t.name] = t
		namespace = t.name[:max(strings.LastIndexByte(t.name, '.'), 0)]
	}
	switch kind {
	case kindUnion:
		err = c.union(t, n.Branches, namespace)
	case kindArray:
		t.items, err = c.compile(n.Items, namespace)
	case kindMap:
		t.items, err = c.compile(n.Values, namespace)
	case kindRecord:
		err = c.record(t, n.Fields, namespace)
	}
	return t, err
}

// isDefinition reports whether a node whose type is the name of a kind defines one. If
// not, it refers to a type that somebody has given that name.
func isDefinition(n *avro.SchemaNode) bool {
	return n.Name != "" || n.Items != nil || n.Values != nil || n.Branches != nil
}

// reference returns the type that a name refers to. A name is defined before it is used.
func (c *compiler) reference(name, namespace string) (*schemaType, error) {
	if t := c.named[fullName(name, namespace)]; t != nil {
		return t, nil
	}
	if t := c.named[name]; t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("unknown type %q: it is not defined before it is used", name)
}

// fullName returns the name with its namespace. A name with a dot has one already; before
// a name that has none, the dot may stand alone.
func fullName(name, namespace string) string {
	if namespace == "" || strings.Contains(name, ".") {
		return strings.TrimPrefix(name, ".")
	}
	return namespace + "." + name
}

func (c *compiler) union(t *schemaType, branches []avro.SchemaNode, namespace string) error {
	for i := range branches {
		branch, err := c.compile(&branches[i], namespace)
		if err != nil {
			return err
		}
		t.branches = append(t.branches, branch)
	}
	return nil
}

func (c *compiler) record(t *schemaType, fields []avro.SchemaField, namespace string) error {
	t.index = make(map[string]int, len(fields))
	var defaults []fieldDefault
	for i := range fields {
		f := &fields[i]
		of, err := c.compile(&f.Type, namespace)
		if err != nil {
			return err
		}
		field := schemaField{name: f.Name, of: of, absent: of.null()}
		if index, ok := f.Props[defaultProp].(int64); ok {
			field.absent = nil
			defaults = append(defaults, fieldDefault{t, i, c.values[index]})
		}
		t.index[f.Name] = i
		t.fields = append(t.fields, field)
	}
	c.defaults = append(c.defaults, defaults...)
	return nil
}

// encodeDefaults encodes the defaults, those of inner records first, because outer ones may
// depend on them.
func (c *compiler) encodeDefaults() error {
	for _, d := range c.defaults {
		f := &d.record.fields[d.field]
		text, err := stdjson.Marshal(d.value)
		if err == nil {
			f.absent, err = f.of.encode(text)
		}
		if err != nil {
			return fmt.Errorf("the default of field %s.%s: %w", d.record.name, f.name, err)
		}
	}
	return nil
}
