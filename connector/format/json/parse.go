package json

import (
	"bytes"
	"errors"

	"github.com/aerosink/aerosink/connector/format"
)

// The least that a change takes, in bytes. The digest alone takes 28.
const (
	minWithDigest    = 64 // {"msg":"write","key":["n",null,"…",null]}
	minWithoutDigest = 39 // {"msg":"write","key":["n",null,null,1]}
)

// newCollector returns a collector for body.
func newCollector(o format.Options, body []byte) *format.Collector {
	least := minWithDigest
	if o.Digest != nil {
		least = minWithoutDigest
	}
	return format.NewCollector(o, len(body), least)
}

// Parse reads one JSON object, several one after another, or arrays of them. An object with
// a duplicate member does not affect the next.
func Parse(body []byte, o format.Options) ([]format.Parsed, error) {
	changes, err := parse(newDecoder(), body, o)
	if errors.Is(err, errDuplicateMember) {
		d := newDecoder()
		d.goOn = true
		return parse(d, body, o)
	}
	return changes, err
}

func parse(d *decoder, body []byte, o format.Options) ([]format.Parsed, error) {
	c := newCollector(o, body)
	d.reset(body, 0)
	for {
		object, invalid := d.nextElement()
		switch {
		case object == nil && invalid != nil:
			return nil, invalid
		case object == nil:
			return c.Changes(), nil
		}
		p, err := c.Begin(d.offset()-len(object), Name)
		if err != nil {
			return nil, err
		}
		if invalid == nil {
			invalid = parseObject(c, d, p, object)
		}
		c.End(p, object, invalid)
	}
}

// ParseLines reads a JSON object from each line. A line that cannot be read does not
// affect the next.
func ParseLines(body []byte, o format.Options) ([]format.Parsed, error) {
	c := newCollector(o, body)
	d := newDecoder()
	for rest := bytes.TrimLeft(body, whiteSpace); len(rest) > 0; rest = bytes.TrimLeft(rest, whiteSpace) {
		p, err := c.Begin(len(body)-len(rest), Name)
		if err != nil {
			return nil, err
		}
		line, after, _ := bytes.Cut(rest, []byte{'\n'})
		line, rest = bytes.TrimRight(line, whiteSpace), after
		c.End(p, line, parseLine(c, d, p, line))
	}
	return c.Changes(), nil
}

const whiteSpace = " \t\r\n"

func parseLine(c *format.Collector, d *decoder, p *format.Parsed, line []byte) error {
	d.reset(line, p.Offset)
	object, err := d.next()
	switch {
	case err != nil:
		return err
	case len(object) != len(line):
		return d.errorAfter(object)
	case object[0] != '{':
		return d.errorHere("a line holds one JSON object")
	}
	return parseObject(c, d, p, object)
}

// parseObject reads one JSON object whose syntax was checked, as JSON or as flat JSON.
// If it exceeds a limit, only its metadata is read.
func parseObject(c *format.Collector, d *decoder, p *format.Parsed, object []byte) error {
	r := reader{object: object, at: p.Offset, metadataKey: c.Options.MetadataKey, bins: compareBins, comparer: &d.bins, names: &c.Names, toDigest: c.Options.Digest}
	if c.Options.Bins {
		r.bins = readBins
	}
	metadata := r.metadata()
	depth := depthOfBins
	if metadata != nil {
		p.Format, depth = FlatName, depthOfFlatBins
	}
	over := c.CheckSize(p.Offset, len(object))
	if over == nil && nestsDeeper(object, depth+c.Options.Limits.Depth) {
		over = c.TooDeep(p.Offset)
	}
	if over != nil {
		r.bins = skipBins
	}
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

// The nesting of an object whose bins are neither lists nor maps.
const (
	depthOfFlatBins = 1 // the object
	depthOfBins     = 3 // the object, the array of the bins, and the bin
)
