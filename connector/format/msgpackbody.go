package format

import "github.com/tinylib/msgp/msgp"

// messagePack reads one change after another, and arrays of them. What follows a
// change that cannot be framed cannot be read; a change that is framed and makes no
// sense stands for itself.
func (b *batch) messagePack(body []byte) error {
	r := &packReader{rest: body, end: len(body), names: &b.names}
	for len(r.rest) > 0 {
		n := r.several()
		for ; n > 0; n-- {
			if err := b.message(r); err != nil {
				return err
			}
		}
	}
	return nil
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
func (b *batch) message(r *packReader) error {
	whole, at := r.rest, r.offset()
	one, err := b.add(at, MessagePack{}.Name())
	if err != nil {
		return err
	}
	r.bins = true
	if most := b.parser.Limits.Change; len(whole) > most {
		rest, err := msgp.Skip(whole)
		r.bins = err == nil && len(whole)-len(rest) <= most
	}
	r.change(&one.Change)
	reason := r.err
	if r.err = nil; reason != nil || !r.bins {
		if r.rest, err = msgp.Skip(whole); err != nil {
			return fault(at, "no MessagePack: %v", err)
		}
	}
	b.end(one, whole[:len(whole)-len(r.rest)], reason)
	return nil
}
