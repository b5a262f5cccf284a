package avro

import (
	"bytes"
	"errors"

	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/plural"
)

// maxSchema is the limit of the schema in a container file, in bytes. Parsing one takes
// many times as much memory.
const maxSchema = 256 << 10

// containerFile reads an object container file.
type containerFile struct {
	collector  *format.Collector
	configured *Format // nil without one
	reader     *reader
	schema     *schemaType
	key        string       // the name of the metadata
	inflate    decompressor // nil if the blocks are not compressed
	sync       []byte
}

// changes reads the whole file.
func (f *containerFile) changes() error {
	f.header()
	for r := f.reader; r.err == nil && len(r.rest) > 0; {
		n, block := r.long(), r.bytes()
		at := r.offset() - len(block)
		if sync := r.take(syncSize); r.err == nil && !bytes.Equal(sync, f.sync) {
			r.fail("a block does not end in the file's sync marker")
		}
		if r.err == nil {
			r.err = f.block(n, at, block)
		}
	}
	return f.reader.err
}

// header reads everything before the first block.
func (f *containerFile) header() {
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
	var known bool
	if f.inflate, known = newDecompressor(string(codec)); !known {
		r.fail("unsupported codec: want null, deflate, snappy or zstandard")
		return
	}
	f.prepare(schema)
}

// prepare parses the schema, unless it is the configured one.
func (f *containerFile) prepare(text []byte) {
	if a := f.configured; a != nil && a.text == string(text) {
		f.schema, f.key = a.schema, a.metadataKey
		return
	}
	if len(text) > maxSchema {
		f.reader.fail("a schema of %d bytes, the limit is %d", len(text), maxSchema)
		return
	}
	var err error
	if f.schema, err = parseSchema(text, false); err != nil {
		f.reader.fail("the file's schema is not valid") // the error would quote it
		return
	}
	f.key = f.collector.Options.MetadataKey
	if !f.schema.isRecordOrMap() {
		f.reader.fail("the file's schema is neither a record nor a map")
	}
}

// block reads the n changes of a block, which is at offset at in the body.
func (f *containerFile) block(n int64, at int, block []byte) error {
	if n < 0 {
		return format.ErrorAt(at, "a block of %d changes", n)
	}
	if f.inflate != nil {
		plain, err := f.inflate(block, f.collector.InflateLimit())
		f.collector.CountInflated(len(plain))
		switch {
		case errors.Is(err, errInflateLimit):
			return format.TooLargeAt(at, "the file inflates to more than %d bytes", f.collector.Options.Limits.Inflated)
		case err != nil:
			return format.ErrorAt(at, "the block that begins here: %w", err)
		}
		f.reader.valuesLeft += valuesPerByte * len(plain)
		block = plain
	}
	if err := f.collector.CheckCount(at, n); err != nil {
		return err
	}
	inner := *f.reader
	inner.whole, inner.rest, inner.base, inner.inflated = block, block, at, f.inflate != nil
	for ; n > 0; n-- {
		if err := parseDatum(f.collector, &inner, f.schema, f.key); err != nil {
			return err
		}
	}
	f.reader.valuesLeft, f.reader.schemaTextLeft = inner.valuesLeft, inner.schemaTextLeft
	if len(inner.rest) > 0 {
		inner.fail("%s after the block's last change", plural.Of(len(inner.rest), "byte"))
	}
	return inner.err
}
