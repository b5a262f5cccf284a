package msgpack

import (
	"github.com/tinylib/msgp/msgp"

	"github.com/aerosink/aerosink/connector/format"
)

// minChange is the least that a change takes, in bytes. The digest alone takes 20.
const minChange = 32 // [1, 2, [["n", nil, …, nil], 0]]

// Parse reads one change after another, and arrays of them. Bytes that are not MessagePack
// end the body with an error; MessagePack that is not a change affects only that change.
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

// parseMessage reads a change. If it exceeds the limit, only its metadata is read.
func parseMessage(c *format.Collector, r *reader) error {
	whole, at := r.rest, r.offset()
	p, err := c.Begin(at, Name)
	if err != nil {
		return err
	}
	r.bins = true
	if limit := c.Options.Limits.Change; len(whole) > limit {
		rest, err := msgp.Skip(whole)
		r.bins = err == nil && len(whole)-len(rest) <= limit
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
