package format

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
)

// avro reads a bare datum, or an object container file.
func (p Parser) avro(body []byte) ([]Parsed, error) {
	if bytes.HasPrefix(body, []byte(containerMagic)) {
		f := avroFile{parser: p, reader: newAvroReader(body)}
		return f.changes()
	}
	if p.Avro == nil {
		return nil, fault(0, "no object container file, and a bare datum cannot be read, for no Avro schema is configured")
	}
	r := newAvroReader(body)
	one := readDatum(r, p.Avro.schema, p.Avro.metadataKey)
	if len(r.rest) > 0 {
		r.fail("%d bytes more than the datum has", len(r.rest))
	}
	if r.err != nil {
		return nil, r.err
	}
	return []Parsed{one}, nil
}

func readDatum(r *avroReader, schema *avroType, metadataKey string) Parsed {
	one, start := Parsed{Format: (*Avro)(nil).Name()}, r.rest
	one.Err = r.change(schema, metadataKey, &one.Change)
	end := len(start) - len(r.rest)
	one.Data = start[:end:end]
	return one
}

// maxSchema bounds the schema in a container file, in bytes: to parse one takes
// many times as much.
const maxSchema = 256 << 10

// avroFile reads an object container file.
type avroFile struct {
	parser   Parser
	reader   *avroReader
	schema   *avroType
	key      string // of the metadata
	deflated bool
	sync     []byte
	inflated int // bytes so far
}

func (f *avroFile) changes() ([]Parsed, error) {
	f.header()
	var parsed []Parsed
	for r := f.reader; r.err == nil && len(r.rest) > 0; {
		n, block := r.long(), r.bytes()
		if sync := r.take(syncSize); r.err == nil && !bytes.Equal(sync, f.sync) {
			r.fail("a block does not end in the file's sync marker")
		}
		parsed = f.block(parsed, n, block)
	}
	if f.reader.err != nil {
		return nil, f.reader.err
	}
	return parsed, nil
}

// header reads all before the first block.
func (f *avroFile) header() {
	r := f.reader
	r.take(len(containerMagic))
	var schema, codec []byte
	r.elements(1, func() {
		switch name, value := r.bytes(), r.bytes(); string(name) {
		case "avro.schema":
			schema = value
		case "avro.codec":
			codec = value
		}
	})
	f.sync = r.take(syncSize)
	if r.err != nil {
		return
	}
	switch string(codec) {
	case "", "null":
	case "deflate":
		f.deflated = true
	default:
		r.fail("the file's codec is neither null nor deflate; write it with one of these")
		return
	}
	f.prepare(schema)
}

// prepare makes the schema ready, which is likely the one that is configured.
func (f *avroFile) prepare(text []byte) {
	if a := f.parser.Avro; a != nil && a.text == string(text) {
		f.schema, f.key = a.schema, a.metadataKey
		return
	}
	if len(text) > maxSchema {
		f.reader.fail("a schema of %d bytes, the limit is %d", len(text), maxSchema)
		return
	}
	var err error
	if f.schema, err = parseAvro(text, false); err != nil {
		f.reader.fail("the file's schema is none") // the error would quote it
		return
	}
	f.key = f.parser.MetadataKey
	if !f.schema.isRecordOrMap() {
		f.reader.fail("the file's schema is neither a record nor a map")
	}
}

// block reads the n changes of a block.
func (f *avroFile) block(parsed []Parsed, n int64, block []byte) []Parsed {
	r := f.reader
	if r.err != nil {
		return parsed
	}
	if n < 0 {
		r.fail("a block of %d changes", n)
		return parsed
	}
	if f.deflated {
		at := r.offset()
		var err error
		if block, err = f.inflate(block); err != nil {
			r.err = fault(at, "the block that ends here: %v", err)
			return parsed
		}
	}
	if most := mostChanges(len(r.whole) + f.inflated); n > int64(most-len(parsed)) {
		r.fail(tooMany)
		return parsed
	}
	inner := avroReader{whole: block, rest: block, names: r.names, spare: r.spare}
	for ; n > 0 && inner.err == nil; n-- {
		parsed = append(parsed, readDatum(&inner, f.schema, f.key))
	}
	if len(inner.rest) > 0 {
		inner.fail("%d bytes more than the block's changes have", len(inner.rest))
	}
	if inner.err != nil {
		r.fail("the block that ends here: %v", inner.err)
	}
	r.names, r.spare = inner.names, inner.spare
	return parsed
}

// inflate returns what the block inflates to.
func (f *avroFile) inflate(block []byte) ([]byte, error) {
	left := maxInflated - f.inflated
	plain, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(block)), int64(left)+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("inflate: %w", err)
	case len(plain) > left:
		return nil, fmt.Errorf("the file inflates to more than %d bytes", maxInflated)
	}
	f.inflated += len(plain)
	f.reader.spare += valuesPerByte * len(plain)
	return plain, nil
}
