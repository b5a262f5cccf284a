package avro

import (
	"bytes"

	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/plural"
)

// minChange is the least that a change takes, in bytes: a schema may encode everything
// except the digest in one byte.
const minChange = 20

// Parse reads an object container file, or a bare datum by the configured schema, which
// may be nil.
func Parse(body []byte, o format.Options, configured *Format) ([]format.Parsed, error) {
	c := format.NewCollector(o, len(body), minChange)
	r := newReader(body, &c.Names, c.InflateLimit())
	var err error
	if bytes.HasPrefix(body, []byte(containerMagic)) {
		f := containerFile{collector: c, configured: configured, reader: r}
		err = f.changes()
	} else {
		err = parseBare(c, r, configured)
	}
	if err != nil {
		return nil, err
	}
	return c.Changes(), nil
}

// parseBare reads a bare datum.
func parseBare(c *format.Collector, r *reader, schema *Format) error {
	if schema == nil {
		return format.ErrorAt(0, "not an object container file, and a bare datum needs an Avro schema, but none is configured")
	}
	if err := parseDatum(c, r, schema.schema, schema.metadataKey); err != nil {
		return err
	}
	if len(r.rest) > 0 {
		r.fail("%s after the datum", plural.Of(len(r.rest), "byte"))
	}
	return r.err
}

// parseDatum reads the next change from r. An error concerns the whole body or block:
// nothing after it can be read.
func parseDatum(c *format.Collector, r *reader, schema *schemaType, metadataKey string) error {
	p, err := c.Begin(r.offset(), Name)
	if err != nil {
		return err
	}
	whole := r.rest
	err = r.change(schema, metadataKey, &p.Change)
	if r.err != nil {
		return r.err
	}
	c.End(p, whole[:len(whole)-len(r.rest)], err)
	return nil
}
