package format

import "bytes"

// avro reads a bare datum, or an object container file.
func (b *batch) avro(body []byte) error {
	if bytes.HasPrefix(body, []byte(containerMagic)) {
		f := avroFile{batch: b, reader: newAvroReader(body, &b.names, b.left)}
		return f.changes()
	}
	schema := b.parser.Avro
	if schema == nil {
		return fault(0, "no object container file, and a bare datum cannot be read, for no Avro schema is configured")
	}
	r := newAvroReader(body, &b.names, b.left)
	if err := b.datum(r, schema.schema, schema.metadataKey); err != nil {
		return err
	}
	if len(r.rest) > 0 {
		r.fail("%d bytes more than the datum has", len(r.rest))
	}
	return r.err
}

// datum reads the change that is next in r. An error is of the whole body, or block:
// what follows cannot be read.
func (b *batch) datum(r *avroReader, schema *avroType, metadataKey string) error {
	one, err := b.add(r.offset(), (*Avro)(nil).Name())
	if err != nil {
		return err
	}
	whole := r.rest
	err = r.change(schema, metadataKey, &one.Change)
	if r.err != nil {
		return r.err
	}
	b.end(one, whole[:len(whole)-len(r.rest)], err)
	return nil
}
