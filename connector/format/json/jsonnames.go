package json

import (
	"bytes"
	"hash/maphash"
	"slices"
)

// largeJSON is the length, in bytes, from which on it is we who look for members that
// occur twice: the decoder keeps all names of an object, in many times their memory.
const largeJSON = 4 << 20

// jsonNames finds members that occur twice. It keeps 8 bytes for each of an object.
type jsonNames struct {
	seed   maphash.Seed
	hashes []uint64 // of the names in the objects that are open
}

// twice returns the name, of the valid JSON that b begins with, that an object has for
// the second time, nil when none has; and what follows.
func (n *jsonNames) twice(b []byte) (name, rest []byte) {
	if b[0] != '{' && b[0] != '[' {
		return nil, b[valueEnd(b):]
	}
	whole, begin := b, len(n.hashes)
	for b = between(b[1:]); b[0] != ']' && b[0] != '}'; b = between(b) {
		if whole[0] == '{' {
			end := stringEnd(b)
			n.hashes = append(n.hashes, n.hash(b[:end]))
			b = between(b[end:])
		}
		if name, b = n.twice(b); name != nil {
			return name, nil
		}
	}
	hashes := n.hashes[begin:]
	n.hashes = n.hashes[:begin]
	slices.Sort(hashes)
	for i := range hashes {
		if i > 0 && hashes[i] == hashes[i-1] {
			if name = n.second(whole, hashes[i]); name != nil {
				return name, nil
			}
		}
	}
	return nil, b[1:]
}

func (n *jsonNames) hash(name []byte) uint64 { return maphash.Bytes(n.seed, unquote(name)) }

// second returns the second of two same names in the object, which both have the hash;
// nil when they only have that in common.
func (n *jsonNames) second(object []byte, hash uint64) []byte {
	var first []byte
	for members := into(object[:nestedEnd(object)]); ; {
		name, _, ok := members.member()
		switch {
		case !ok:
			return nil
		case n.hash(name) != hash:
		case first == nil:
			first = name
		case bytes.Equal(unquote(first), unquote(name)):
			return name
		}
	}
}
