package json

import (
	"bytes"
	"iter"
	"math"
)

// binComparer looks for two bins of one name in the bins of one change after another,
// without reading their values. Changes of a set begin their bins with the same bytes, up
// to the end of the name, so those of the last change are compared first.
type binComparer struct {
	names *duplicateFinder
	heads [32][]byte // of the last change's bins, whose names differ
	known int        // of the heads
}

// duplicate returns the second name that two bins have in the valid member "bins", nil if
// there is none.
func (c *binComparer) duplicate(bins []byte) []byte {
	if bins[0] != '[' || c.beginsAsLast(bins) {
		return nil
	}
	c.known = 0
	n, known := 0, true
	for head, name := range binNames(bins) {
		c.names.hashes = append(c.names.hashes, c.names.hash(name))
		if known = known && head != nil && n < len(c.heads); known {
			c.heads[n] = head
			n++
		}
	}
	name := c.names.duplicate(0, func(hash uint64) []byte {
		return c.names.second(func(yield func([]byte) bool) {
			binNames(bins)(func(_, name []byte) bool { return yield(name) })
		}, hash)
	})
	if name == nil && known {
		c.known = n
	}
	return name
}

// beginsAsLast reports whether the bins have the same heads as those of the last change,
// or the first of them.
func (c *binComparer) beginsAsLast(bins []byte) bool {
	b := skipSeparators(bins[1:])
	for i := 0; b[0] != ']'; i++ {
		if i == c.known || !bytes.HasPrefix(b, c.heads[i]) {
			return false
		}
		b = b[len(c.heads[i]):]
		end, _ := scanNested(b, 1, math.MaxInt)
		b = skipSeparators(b[end:])
	}
	return true
}

// binNames returns the names of the bins in a valid array. The head is what precedes the
// name and the name, nil if the name is not the bin's first member.
func binNames(bins []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(head, name []byte) bool) {
		for elements := newCursor(bins); ; {
			bin, ok := elements.element()
			if !ok {
				return
			}
			if head, name := nameOf(bin); name != nil && !yield(head, name) {
				return
			}
		}
	}
}

// nameOf returns the head and the name of a bin; no name if it has none.
func nameOf(bin []byte) (head, name []byte) {
	if bin[0] != '{' {
		return nil, nil
	}
	members := newCursor(bin)
	for i := 0; ; i++ {
		member, value, ok := members.member()
		switch {
		case !ok:
			return nil, nil
		case !isString(member, "name") || value[0] != '"':
		case i > 0:
			return nil, value
		default:
			return bin[:cap(bin)-cap(value)+len(value)], value
		}
	}
}
