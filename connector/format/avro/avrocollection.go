package avro

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format/json"
)

// Collections of [Format]: a block of the elements, if there are any, and a 0. Like
// the other methods of avroWriter they return false where a value does not fit.

// array writes a list as an array.
func (w *avroWriter) array(t *avroType, v change.Value, r *change.Reader) bool {
	w.count(v)
	for range v.Len() {
		if !w.value(t.items, r.Next(), r) {
			return false
		}
	}
	return w.raw([]byte{0})
}

// entries writes a map as a map.
func (w *avroWriter) entries(t *avroType, v change.Value, r *change.Reader) bool {
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

func (w *avroWriter) count(v change.Value) {
	if v.Len() > 0 {
		w.dst = binary.AppendVarint(w.dst, int64(v.Len()))
	}
}

// fields writes a map as a record. All its keys must be fields.
func (w *avroWriter) fields(t *avroType, v change.Value, r *change.Reader) bool {
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
		i, ok := t.places[string(text)]
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

// keyText returns a map's key as a string, and false when no string stands for it.
func (w *avroWriter) keyText(key change.Value) ([]byte, bool) {
	switch key.Kind() {
	case change.KindString:
		return key.Bytes(), utf8.Valid(key.Bytes())
	case change.KindInteger, change.KindUnsigned, change.KindDouble, change.KindBool, change.KindBlob:
		return json.KeyText(key), w.stringify
	}
	return nil, false
}
