package msgpack

import (
	"github.com/tinylib/msgp/msgp"

	"github.com/aerosink/aerosink/connector/format"
)

// minChange is the least that a change takes, in bytes; the digest alone has 20.
const minChange = 32 // [1, 2, [["n", nil, …, nil], 0]]

// messagePack reads one change after another, and arrays of them. What follows a
// change that cannot be framed cannot be read; a change that is framed and makes no
// sense stands for itself.
func Parse(body []byte, o format.Options) ([]format.Parsed, error) {
	c := format.NewCollector(o, len(body), minChange)
	r := &reader{rest: body, end: len(body), names: &c.Names}
	for len(r.rest) > 0 {
		n := r.changeCount()
		for ; n > 0; n-- {
			if err := parseMessage(c, r); err != nil {
				return nil, err
			}
		}
	}
	return c.Changes(), nil
}

// message reads a change. Of one over the limit it reads the metadata.
func parseMessage(c *format.Collector, r *reader) error {
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
			return format.ErrorAt(at, "not MessagePack: %v", err)
		}
	}
	c.End(p, whole[:len(whole)-len(r.rest)], reason)
	return nil
}
