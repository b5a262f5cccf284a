package format

import (
	"bytes"

	"github.com/aerosink/aerosink/connector/change"
)

// lines reads a JSON object from each line. Lines stand for themselves: one that
// cannot be read says nothing about the next.
func (b *batch) lines(body []byte) error {
	d := newJSONDecoder()
	for rest := bytes.TrimLeft(body, blank); len(rest) > 0; rest = bytes.TrimLeft(rest, blank) {
		one, err := b.add(len(body)-len(rest), JSON{}.Name())
		if err != nil {
			return err
		}
		line, after, _ := bytes.Cut(rest, []byte{'\n'})
		line, rest = bytes.TrimRight(line, blank), after
		b.end(one, line, b.line(d, one, line))
	}
	return nil
}

const blank = " \t\r\n"

func (b *batch) line(d *jsonDecoder, one *Parsed, line []byte) error {
	d.reset(line, one.Offset)
	object, err := d.next()
	switch {
	case err != nil:
		return err
	case len(object) != len(line):
		return d.fault("more than one JSON value on the line")
	case object[0] != '{':
		return d.fault("a line holds one JSON object")
	}
	return b.object(one, object)
}

// json reads one JSON object, several one after another, or arrays of them.
func (b *batch) json(body []byte) error {
	d := newJSONDecoder()
	d.reset(body, 0)
	for {
		object, err := d.nextElement()
		if err != nil || object == nil {
			return err
		}
		one, err := b.add(d.offset()-len(object), JSON{}.Name())
		if err != nil {
			return err
		}
		b.end(one, object, b.object(one, object))
	}
}

// object makes a change of one JSON object whose syntax was checked, and tells JSON
// from flat JSON. Of one over a limit it reads the metadata.
func (b *batch) object(one *Parsed, object []byte) error {
	r := jsonReader{object: object, at: one.Offset, metadataKey: b.parser.MetadataKey, bins: b.parser.Bins, names: &b.names}
	metadata := r.metadata()
	depth := depthOfBins
	if metadata != nil {
		one.Format, depth = FlatJSON{}.Name(), depthOfFlatBins
	}
	over := b.fits(one.Offset, len(object))
	if over == nil && nestsDeeper(object, depth+b.parser.Limits.Depth) {
		over = b.tooDeep(one.Offset)
	}
	r.bins = r.bins && over == nil
	var err error
	if metadata != nil {
		err = r.flat(metadata, &one.Change)
	} else {
		err = r.json(&one.Change)
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
