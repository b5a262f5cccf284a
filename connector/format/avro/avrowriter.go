package avro

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
)

// avroWriter appends one change by a schema. It keeps its first error.
type avroWriter struct {
	metadataKey string
	stringify   bool
	dst         []byte
	err         error
}

func (w *avroWriter) fail(where, detail string, args ...any) {
	if w.err == nil {
		w.err = format.AppendError("avro", where, detail, args...)
	}
}

// record writes a change whose bins are the fields of t.
func (w *avroWriter) record(t *avroType, c *change.Change) {
	used := 0
	for i := range t.fields {
		f := &t.fields[i]
		if f.name == w.metadataKey {
			w.metadata(f.of, c)
		} else if b := binOf(c, f.name); b != nil {
			used++
			w.bin(f.of, b)
		} else if !w.absent(f) {
			w.fail("field "+f.name, "there is no value for it, and it has neither a default nor null")
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

// binOf returns the bin of a name, nil when there is none; a delete has none.
func binOf(c *change.Change, name string) *change.Bin {
	i := slices.IndexFunc(c.Bins, func(b change.Bin) bool { return b.Name == name })
	if i < 0 || c.Op.IsDelete() {
		return nil
	}
	return &c.Bins[i]
}

// mapping writes a change whose bins are the entries of the map t.
func (w *avroWriter) mapping(t *avroType, c *change.Change) {
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
			w.fail("bin "+b.Name, "is named like the metadata; set another metadata-key")
		}
		if !utf8.ValidString(b.Name) {
			w.fail("bin name", "is not UTF-8")
		}
		w.text([]byte(b.Name))
		w.bin(t.items, b)
	}
	w.dst = append(w.dst, 0)
}

func (w *avroWriter) bin(t *avroType, b *change.Bin) {
	r := b.Value.Elements()
	if !w.value(t, b.Value, &r) {
		w.fail("bin "+b.Name, "its %s does not fit the schema's %s", b.Value.Kind(), t.kind)
	}
}

// absent writes a field for which there is no value, and returns false when the
// schema asks for one.
func (w *avroWriter) absent(f *avroField) bool {
	w.dst = append(w.dst, f.absent...)
	return f.absent != nil
}

// value writes v if it fits t. Otherwise it returns false, and w is as it was; r,
// too, of which it takes the elements of a collection.
//
// An integer is first tried as no double: see [Format]. That is decided at the union
// that it meets and not once for each collection around it, so that the time does
// not double with each.
func (w *avroWriter) value(t *avroType, v change.Value, r *change.Reader) bool {
	kind := v.Kind()
	if t.kind != avroUnion {
		return t.takes(kind) && w.plain(t, v, r, true)
	}
	return w.branch(t, kind, v, r, false) || kind == change.KindInteger && w.branch(t, kind, v, r, true)
}

// branch writes v as the first branch of t that it fits.
func (w *avroWriter) branch(t *avroType, kind change.Kind, v change.Value, r *change.Reader, lenient bool) bool {
	start, before := len(w.dst), change.Reader{}
	if r != nil {
		before = *r
	}
	for i, branch := range t.branches {
		if !branch.takes(kind) {
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

// plain writes v as a type that takes its kind. Lenient lets an integer be a
// double.
func (w *avroWriter) plain(t *avroType, v change.Value, r *change.Reader, lenient bool) bool {
	switch t.kind {
	case avroNull:
		return true
	case avroBoolean:
		return w.bool(v.Bool())
	case avroInt:
		return int64(int32(v.Integer())) == v.Integer() && w.integer(v.Integer())
	case avroLong:
		return w.integer(v.Integer())
	case avroDouble, avroFloat:
		return w.floating(t.kind, v, lenient)
	case avroString:
		return w.text(v.Bytes())
	case avroEnum:
		return w.symbol(t, string(v.Bytes()))
	case avroBytes:
		return w.bytes(v.Bytes())
	case avroFixed:
		return len(v.Bytes()) == t.size && w.raw(v.Bytes())
	case avroArray:
		return w.array(t, v, r)
	case avroMap:
		return w.entries(t, v, r)
	case avroRecord:
		return w.fields(t, v, r)
	}
	return false
}

// The methods below write and return true, for plain to be a table.

func (w *avroWriter) bool(b bool) bool {
	if b {
		return w.raw([]byte{1})
	}
	return w.raw([]byte{0})
}

func (w *avroWriter) integer(i int64) bool {
	w.dst = binary.AppendVarint(w.dst, i)
	return true
}

// exactInDouble bounds the integers that a double holds exactly, all of them.
const exactInDouble = 1 << 53

func (w *avroWriter) floating(kind avroKind, v change.Value, lenient bool) bool {
	d := v.Double()
	if v.Kind() == change.KindInteger {
		i := v.Integer()
		if !lenient || i < -exactInDouble || i > exactInDouble {
			return false
		}
		d = float64(i)
	}
	if kind == avroDouble {
		w.dst = binary.LittleEndian.AppendUint64(w.dst, math.Float64bits(d))
		return true
	}
	if f := float32(d); float64(f) == d || math.IsNaN(d) {
		w.dst = binary.LittleEndian.AppendUint32(w.dst, math.Float32bits(f))
		return true
	}
	return false
}

func (w *avroWriter) raw(b []byte) bool {
	w.dst = append(w.dst, b...)
	return true
}

func (w *avroWriter) bytes(b []byte) bool {
	w.dst = binary.AppendVarint(w.dst, int64(len(b)))
	return w.raw(b)
}

func (w *avroWriter) text(b []byte) bool {
	if !utf8.Valid(b) {
		b = []byte(strings.ToValidUTF8(string(b), "\uFFFD"))
	}
	return w.bytes(b)
}

func (w *avroWriter) symbol(t *avroType, text string) bool {
	i := slices.Index(t.symbols, text)
	return i >= 0 && w.integer(int64(i))
}
