package avro

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/json"
)

// writer appends one change by a schema. It keeps its first error.
//
// The methods that write a value return false if it does not fit the type.
type writer struct {
	metadataKey string
	stringify   bool
	dst         []byte
	err         error
}

// changeAsRecord writes a change whose bins are the fields of t.
func (w *writer) changeAsRecord(t *schemaType, c *change.Change) {
	used := 0
	for i := range t.fields {
		f := &t.fields[i]
		if f.name == w.metadataKey {
			w.metadata(f.of, c)
		} else if b := binOf(c, f.name); b != nil {
			used++
			w.bin(f.of, b)
		} else if !w.absent(f) {
			w.fail("field "+f.name, "the change has no value for it, and it has neither a default nor null")
		}
	}
	if c.Op.IsDelete() || used == len(c.Bins) {
		return
	}
	for i := range c.Bins {
		if name := c.Bins[i].Name; t.field(name) == nil || name == w.metadataKey {
			w.fail("bin "+name, "the schema has no field for it")
		}
	}
}

// binOf returns the named bin, or nil; a delete has no bins.
func binOf(c *change.Change, name string) *change.Bin {
	i := slices.IndexFunc(c.Bins, func(b change.Bin) bool { return b.Name == name })
	if i < 0 || c.Op.IsDelete() {
		return nil
	}
	return &c.Bins[i]
}

// changeAsMap writes a change whose bins are the entries of the map t.
func (w *writer) changeAsMap(t *schemaType, c *change.Change) {
	bins := c.Bins
	if c.Op.IsDelete() {
		bins = nil
	}
	w.dst = binary.AppendVarint(w.dst, int64(1+len(bins)))
	w.text([]byte(w.metadataKey))
	w.metadata(t.items, c)
	for i := range bins {
		b := &bins[i]
		if b.Name == w.metadataKey {
			w.fail("bin "+b.Name, "has the name of the metadata; set another metadata-key")
		}
		if !utf8.ValidString(b.Name) {
			w.fail("bin name", "is not UTF-8")
		}
		w.text([]byte(b.Name))
		w.bin(t.items, b)
	}
	w.dst = append(w.dst, 0)
}

// metadata writes the metadata as the first of the schema's types that fits.
func (w *writer) metadata(t *schemaType, c *change.Change) {
	m := metadataOf(c)
	start, misfit := len(w.dst), ""
	for i, branch := range t.alternatives() {
		w.dst = t.appendUnion(w.dst[:start], i)
		switch branch.kind {
		case kindRecord:
			misfit = w.metadataRecord(branch, &m)
		case kindMap:
			misfit = w.metadataMap(branch, &m)
		default:
			continue
		}
		if misfit == "" {
			return
		}
	}
	w.fail(w.metadataKey+"."+misfit, "does not fit the schema")
}

// metadataRecord returns the name of what does not fit, "" if everything fits.
func (w *writer) metadataRecord(t *schemaType, m *metadata) string {
	for i := range t.fields {
		f := &t.fields[i]
		index := metadataIndex(f.name)
		if index < 0 || m[index].Kind() == change.KindNil {
			if !w.absent(f) {
				return f.name
			}
		} else if !w.metadataValue(f.of, index, m[index]) {
			return f.name
		}
	}
	return ""
}

// metadataMap is like metadataRecord. It writes only the metadata that the change has.
func (w *writer) metadataMap(t *schemaType, m *metadata) string {
	n := 0
	for _, v := range m {
		if v.Kind() != change.KindNil {
			n++
		}
	}
	w.dst = binary.AppendVarint(w.dst, int64(n))
	for index, v := range m {
		if v.Kind() == change.KindNil {
			continue
		}
		w.text([]byte(metadataNames[index]))
		if !w.metadataValue(t.items, index, v) {
			return metadataNames[index]
		}
	}
	w.dst = append(w.dst, 0)
	return ""
}

func (w *writer) metadataValue(t *schemaType, index int, v change.Value) bool {
	if w.value(t, v, nil) {
		return true
	}
	return index == metaDigest && w.value(t, change.StringValue(base64.StdEncoding.AppendEncode(nil, v.Bytes())), nil)
}

func (w *writer) bin(t *schemaType, b *change.Bin) {
	r := b.Value.Elements()
	if !w.value(t, b.Value, &r) {
		w.fail("bin "+b.Name, "its %s does not fit the schema's %s", b.Value.Kind(), t.kind)
	}
}

// absent writes a field that has no value, and returns false if the schema requires one.
func (w *writer) absent(f *schemaField) bool {
	w.dst = append(w.dst, f.absent...)
	return f.absent != nil
}

// value writes v if it fits t. Otherwise it returns false and leaves w as it was, and r,
// from which it takes the elements of a collection.
//
// An integer becomes a double only if no other branch fits: see [Format]. The innermost
// union decides that, not each collection around it, because the time would double with
// each level.
func (w *writer) value(t *schemaType, v change.Value, r *change.Reader) bool {
	kind := v.Kind()
	if t.kind != kindUnion {
		return t.accepts(kind) && w.plain(t, v, r, true)
	}
	return w.branch(t, kind, v, r, false) || kind == change.KindInteger && w.branch(t, kind, v, r, true)
}

// branch writes v as the first branch of t that it fits.
func (w *writer) branch(t *schemaType, kind change.Kind, v change.Value, r *change.Reader, lenient bool) bool {
	start, before := len(w.dst), change.Reader{}
	if r != nil {
		before = *r
	}
	for i, branch := range t.branches {
		if !branch.accepts(kind) {
			continue
		}
		w.dst = t.appendUnion(w.dst, i)
		if w.plain(branch, v, r, lenient) {
			return true
		}
		w.dst = w.dst[:start]
		if r != nil {
			*r = before
		}
	}
	return false
}

// plain writes v as a type that accepts its kind. If lenient is set, an integer may be
// written as a double.
func (w *writer) plain(t *schemaType, v change.Value, r *change.Reader, lenient bool) bool {
	switch t.kind {
	case kindNull:
		return true
	case kindBoolean:
		return w.bool(v.Bool())
	case kindInt:
		return int64(int32(v.Integer())) == v.Integer() && w.integer(v.Integer())
	case kindLong:
		return w.integer(v.Integer())
	case kindDouble, kindFloat:
		return w.floating(t.kind, v, lenient)
	case kindString:
		return w.text(v.Bytes())
	case kindEnum:
		return w.symbol(t, string(v.Bytes()))
	case kindBytes:
		return w.bytes(v.Bytes())
	case kindFixed:
		return len(v.Bytes()) == t.size && w.raw(v.Bytes())
	case kindArray:
		return w.array(t, v, r)
	case kindMap:
		return w.mapEntries(t, v, r)
	case kindRecord:
		return w.recordFields(t, v, r)
	}
	return false
}

// A collection is a block of its elements, if there are any, and a 0.

// array writes a list as an array.
func (w *writer) array(t *schemaType, v change.Value, r *change.Reader) bool {
	w.count(v)
	for range v.Len() {
		if !w.value(t.items, r.Next(), r) {
			return false
		}
	}
	return w.raw([]byte{0})
}

// mapEntries writes a map as a map.
func (w *writer) mapEntries(t *schemaType, v change.Value, r *change.Reader) bool {
	begin, stringified := *r, false
	w.count(v)
	for range v.Len() {
		key := r.Next()
		text, ok := w.keyText(key)
		if !ok {
			return false
		}
		stringified = stringified || key.Kind() != change.KindString
		w.bytes(text)
		if !w.value(t.items, r.Next(), r) {
			return false
		}
	}
	return (!stringified || json.DistinctKeys(v.Len(), begin)) && w.raw([]byte{0})
}

// recordFields writes a map as a record. All its keys must be fields.
func (w *writer) recordFields(t *schemaType, v change.Value, r *change.Reader) bool {
	found := make([]struct {
		value    change.Value
		elements change.Reader
		there    bool
	}, len(t.fields))
	for range v.Len() {
		text, ok := w.keyText(r.Next())
		if !ok {
			return false
		}
		i, ok := t.index[string(text)]
		if !ok || found[i].there {
			return false
		}
		value := r.Next()
		found[i].value, found[i].elements, found[i].there = value, *r, true
		r.Skip(value)
	}
	for i := range found {
		f := &t.fields[i]
		switch at := &found[i]; {
		case at.there && !w.value(f.of, at.value, &at.elements), !at.there && !w.absent(f):
			return false
		}
	}
	return true
}

// keyText returns a map key as a string, and false if it cannot become one.
func (w *writer) keyText(key change.Value) ([]byte, bool) {
	switch key.Kind() {
	case change.KindString:
		return key.Bytes(), utf8.Valid(key.Bytes())
	case change.KindInteger, change.KindUnsigned, change.KindDouble, change.KindBool, change.KindBlob:
		return json.KeyText(key), w.stringify
	}
	return nil, false
}

func (w *writer) count(v change.Value) {
	if v.Len() > 0 {
		w.dst = binary.AppendVarint(w.dst, int64(v.Len()))
	}
}

// The methods below always return true, so that plain can be a table.

func (w *writer) bool(b bool) bool {
	if b {
		return w.raw([]byte{1})
	}
	return w.raw([]byte{0})
}

func (w *writer) integer(i int64) bool {
	w.dst = binary.AppendVarint(w.dst, i)
	return true
}

func (w *writer) floating(kind typeKind, v change.Value, lenient bool) bool {
	d := v.Double()
	if v.Kind() == change.KindInteger {
		i := v.Integer()
		if !lenient || i < -exactInDouble || i > exactInDouble {
			return false
		}
		d = float64(i)
	}
	if kind == kindDouble {
		w.dst = binary.LittleEndian.AppendUint64(w.dst, math.Float64bits(d))
		return true
	}
	if f := float32(d); float64(f) == d || math.IsNaN(d) {
		w.dst = binary.LittleEndian.AppendUint32(w.dst, math.Float32bits(f))
		return true
	}
	return false
}

// exactInDouble is the largest integer up to which a double holds all integers exactly.
const exactInDouble = 1 << 53

func (w *writer) symbol(t *schemaType, text string) bool {
	i := slices.Index(t.symbols, text)
	return i >= 0 && w.integer(int64(i))
}

func (w *writer) text(b []byte) bool {
	if !utf8.Valid(b) {
		b = []byte(strings.ToValidUTF8(string(b), "\uFFFD"))
	}
	return w.bytes(b)
}

func (w *writer) bytes(b []byte) bool {
	w.dst = binary.AppendVarint(w.dst, int64(len(b)))
	return w.raw(b)
}

func (w *writer) raw(b []byte) bool {
	w.dst = append(w.dst, b...)
	return true
}

func (w *writer) fail(where, detail string, args ...any) {
	if w.err == nil {
		w.err = format.AppendError("avro", where, detail, args...)
	}
}
