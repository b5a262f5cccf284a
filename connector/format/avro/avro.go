// Package avro reads and writes changes by a user's Avro schema: as a bare datum, or as an
// object container file.
//
// [New] parses the schema into a tree of schemaType. Append writes a change with a writer,
// which goes through the schema and the change together. [Parse] reads a body: a
// containerFile reads the header and decompresses the blocks, and a reader goes through
// the data by their schema.
package avro

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
)

// Format is the format of a user's schema. The schema is a record, whose fields are the
// bins, or a map, whose entries are the bins. One field or entry holds the metadata, as a
// record or a map:
//
//	msg, namespace, set, userKey, digest, gen, exp, lut, durable
//
// A value is written as the type that the schema has for it:
//
//	null                     a deleted bin, and nil
//	boolean                  a bool
//	long, int                an integer that fits
//	double, float            a double that fits; an integer, see below
//	string                   a string, and the text of GeoJSON; bytes that are not
//	                         UTF-8 as U+FFFD
//	enum                     a string that is one of its symbols
//	bytes, fixed             a blob of any kind, an HLL, a particle of an unknown type
//	array                    a list
//	map, record              a map whose keys are strings, or become strings as in json.Format
//
// In a union, the first branch that the value fits is taken. An integer is written as a
// double only if there is no long or int for it and a double holds it exactly. The digest
// is written as a Base64 string only if the schema has no bytes for it.
//
// A field without a bin gets its default, else null. A field that has neither is an
// error, and so are a bin without a field and a value that does not fit: nothing is
// omitted silently. Avro cannot express the order of lists and maps, the kind of a blob,
// and, in a record, whether a bin that is null was deleted or not shipped; these are lost.
//
// Logical types are ignored: a date is an int.
//
// A single change is a bare datum; a batch is an object container file
// (https://avro.apache.org/docs/1.12.0/specification/).
type Format struct {
	text        string // of the schema
	schema      *schemaType
	metadataKey string
	stringify   bool

	header []byte // of an object container file, with the sync marker at its end
}

// New returns the format of the schema in text, in which the metadata has the name
// metadataKey. stringifyMapKeys is as in json.Format. A schema that cannot hold any change
// is an error.
func New(text, metadataKey string, stringifyMapKeys bool) (*Format, error) {
	schema, err := parseSchema([]byte(text), true)
	if err != nil {
		return nil, fmt.Errorf("avro schema: %w", err)
	}
	f := &Format{text: text, schema: schema, metadataKey: metadataKey, stringify: stringifyMapKeys, header: containerHeader(text)}
	if err := f.check(); err != nil {
		return nil, fmt.Errorf("avro schema: %w", err)
	}
	return f, nil
}

// check returns an error if the schema cannot hold the metadata.
func (f *Format) check() error {
	metadata := f.schema.items
	switch f.schema.kind {
	case kindMap:
	case kindRecord:
		field := f.schema.field(f.metadataKey)
		if field == nil {
			return fmt.Errorf("record %s has no field %q for the metadata; add it, or set metadata-key", f.schema.name, f.metadataKey)
		}
		metadata = field.of
	default:
		return fmt.Errorf("the schema is of type %s: want a record or a map", f.schema.kind)
	}
	reason := fmt.Errorf("the metadata %q is of type %s: want a record or a map", f.metadataKey, metadata.kind)
	for _, branch := range metadata.alternatives() {
		switch branch.kind {
		case kindMap:
			return nil
		case kindRecord:
			if reason = checkMetadata(branch); reason == nil {
				return nil
			}
		}
	}
	return reason
}

// checkMetadata returns an error if the record has a field that is not metadata and cannot
// be left empty.
func checkMetadata(record *schemaType) error {
	for _, field := range record.fields {
		if metadataIndex(field.name) < 0 && field.absent == nil {
			return fmt.Errorf("field %s.%s is not metadata, and has neither a default nor null", record.name, field.name)
		}
	}
	return nil
}

// Name is the name of the format.
const Name = "avro"

// Name returns "avro".
func (*Format) Name() string { return Name }

// Append implements [format.Format].
func (f *Format) Append(dst []byte, c *change.Change) ([]byte, error) {
	w := writer{metadataKey: f.metadataKey, stringify: f.stringify, dst: dst}
	if f.schema.kind == kindRecord {
		w.changeAsRecord(f.schema, c)
	} else {
		w.changeAsMap(f.schema, c)
	}
	if w.err != nil {
		return dst, w.err
	}
	return w.dst, nil
}

// Seal implements [format.Format]. A container file has one block.
func (f *Format) Seal(records []byte, n int) ([]byte, string) {
	if n == 1 {
		return records, format.MediaAvro
	}
	body := make([]byte, 0, len(f.header)+2*binary.MaxVarintLen64+len(records)+syncSize)
	body = append(body, f.header...)
	body = binary.AppendVarint(body, int64(n))
	body = binary.AppendVarint(body, int64(len(records)))
	body = append(body, records...)
	return append(body, f.header[len(f.header)-syncSize:]...), format.MediaAvro
}

// An object container file begins with containerMagic. A marker of syncSize bytes ends
// its header and each of its blocks.
const (
	containerMagic = "Obj\x01"
	syncSize       = 16
)

// containerHeader returns the header of a file with uncompressed blocks. The sync marker
// is derived from the schema.
func containerHeader(schema string) []byte {
	h := []byte(containerMagic)
	h = binary.AppendVarint(h, 2)
	for _, text := range []string{"avro.schema", schema, "avro.codec", "null"} {
		h = binary.AppendVarint(h, int64(len(text)))
		h = append(h, text...)
	}
	h = append(h, 0)
	sum := sha256.Sum256([]byte(schema))
	return append(h, sum[:syncSize]...)
}
