package msgpack

import (
	"github.com/tinylib/msgp/msgp"

	"github.com/aerosink/aerosink/connector/format"
)

// minPack is the least that a change takes, in bytes; the digest alone has 20.
const minPack = 32 // [1, 2, [["n", nil, …, nil], 0]]

// messagePack reads one change after another, and arrays of them. What follows a
// change that cannot be framed cannot be read; a change that is framed and makes no
// sense stands for itself.
func Parse(body []byte, o format.Options) ([]format.Parsed, error) {
	c := format.NewCollector(o, len(body), minPack)
	r := &packReader{rest: body, end: len(body), names: &c.Names}
	for len(r.rest) > 0 {
		n := r.several()
		for ; n > 0; n-- {
			if err := parseMessage(c, r); err != nil {
				return nil, err
			}
		}
	}
	return c.Changes(), nil
}

// several begins what is next, and returns how many changes it is: a change is an
// array that begins with its version, an array of changes begins with an array.
func (r *packReader) several() uint32 {
	n, rest, err := msgp.ReadArrayHeaderBytes(r.rest)
	if err != nil || n > 0 && msgp.NextType(rest) != msgp.ArrayType {
		return 1
	}
	r.rest = rest
	return n
}

// message reads a change. Of one over the limit it reads the metadata.
func parseMessage(c *format.Collector, r *packReader) error {
	whole, at := r.rest, r.offset()
	p, err := c.Begin(at, Format{}.Name())
	if err != nil {
		return err
	}
	r.bins = true
	if most := c.Options.Limits.Change; len(whole) > most {
		rest, err := msgp.Skip(whole)
		r.bins = err == nil && len(whole)-len(rest) <= most
	}
	r.change(&p.Change)
	reason := r.err
	if r.err = nil; reason != nil || !r.bins {
		if r.rest, err = msgp.Skip(whole); err != nil {
			return format.ErrorAt(at, "no MessagePack: %v", err)
		}
	}
	c.End(p, whole[:len(whole)-len(r.rest)], reason)
	return nil
}
