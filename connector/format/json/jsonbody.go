package json

import (
	"bytes"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
)

// minChange is the least that a change takes, in bytes: the digest alone has 28.
const minChange = 64 // {"msg":"write","key":["n",null,"…",null]}

// lines reads a JSON object from each line. Lines stand for themselves: one that
// cannot be read says nothing about the next.
func ParseLines(body []byte, o format.Options) ([]format.Parsed, error) {
	c := format.NewCollector(o, len(body), minChange)
	d := newJSONDecoder()
	for rest := bytes.TrimLeft(body, blank); len(rest) > 0; rest = bytes.TrimLeft(rest, blank) {
		p, err := c.Begin(len(body)-len(rest), Format{}.Name())
		if err != nil {
			return nil, err
		}
		line, after, _ := bytes.Cut(rest, []byte{'\n'})
		line, rest = bytes.TrimRight(line, blank), after
		c.End(p, line, parseLine(c, d, p, line))
	}
	return c.Changes(), nil
}

const blank = " \t\r\n"

func parseLine(c *format.Collector, d *jsonDecoder, p *format.Parsed, line []byte) error {
	d.reset(line, p.Offset)
	object, err := d.next()
	switch {
	case err != nil:
		return err
	case len(object) != len(line):
		return d.fault("more than one JSON value on the line")
	case object[0] != '{':
		return d.fault("a line holds one JSON object")
	}
	return parseObject(c, p, object)
}

// json reads one JSON object, several one after another, or arrays of them.
func Parse(body []byte, o format.Options) ([]format.Parsed, error) {
	c := format.NewCollector(o, len(body), minChange)
	d := newJSONDecoder()
	d.reset(body, 0)
	for {
		object, err := d.nextElement()
		if err != nil {
			return nil, err
		}
		if object == nil {
			return c.Changes(), nil
		}
		p, err := c.Begin(d.offset()-len(object), Format{}.Name())
		if err != nil {
			return nil, err
		}
		c.End(p, object, parseObject(c, p, object))
	}
}

// object makes a change of one JSON object whose syntax was checked, and tells JSON
// from flat JSON. Of one over a limit it reads the metadata.
func parseObject(c *format.Collector, p *format.Parsed, object []byte) error {
	r := jsonReader{object: object, at: p.Offset, metadataKey: c.Options.MetadataKey, bins: c.Options.Bins, names: &c.Names}
	metadata := r.metadata()
	depth := depthOfBins
	if metadata != nil {
		p.Format, depth = Flat{}.Name(), depthOfFlatBins
	}
	over := c.CheckSize(p.Offset, len(object))
	if over == nil && nestsDeeper(object, depth+c.Options.Limits.Depth) {
		over = c.TooDeep(p.Offset)
	}
	r.bins = r.bins && over == nil
	var err error
	if metadata != nil {
		err = r.flat(metadata, &p.Change)
	} else {
		err = r.json(&p.Change)
	}
	if err == nil {
		err = over
	}
	return err
}

// flat reads flat JSON that cannot be JSON too.
func (r *jsonReader) flat(metadata []byte, c *change.Change) error {
	if err := r.flatJSON(metadata, c); err != nil {
		return err
	}
	if r.isJSONToo() {
		return r.fault(r.object, `JSON and flat JSON at once: it has the members "msg" and "key", and metadata in %q`, r.metadataKey)
	}
	return nil
}

// How deep an object stands in arrays and objects whose bins are neither.
const (
	depthOfFlatBins = 1 // the object
	depthOfBins     = 3 // the object, the array of the bins, and the bin
)

// metadata returns the metadata of flat JSON, and nil when the object is not flat
// JSON.
func (r *jsonReader) metadata() []byte {
	if r.metadataKey == "" {
		return nil
	}
	for members := into(r.object); ; {
		name, value, ok := members.member()
		if !ok {
			return nil
		}
		if value[0] == '{' && is(name, r.metadataKey) {
			return value
		}
	}
}

// isJSONToo reports whether the object, which is flat JSON, could as well be JSON.
func (r *jsonReader) isJSONToo() bool {
	if !bytes.Contains(r.object, []byte(`"key"`)) && !bytes.Contains(r.object, []byte(`\u`)) {
		return false
	}
	var c change.Change
	metadata := jsonReader{object: r.object, at: r.at, names: r.names}
	return metadata.json(&c) == nil
}
