package json

import (
	"bytes"
	"errors"
	"hash/maphash"
	"io"
	"iter"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/aerosink/aerosink/connector/format"
)

// decoder returns the JSON values of a body one by one. It checks their syntax and what
// RFC 8259 and I-JSON (RFC 7493) require: UTF-8, no lone surrogates, no duplicate members.
type decoder struct {
	text   *jsontext.Decoder
	buffer bytes.Buffer
	body   []byte
	base   int  // offset of body in the request body
	goOn   bool // after a value with a duplicate member
	names  duplicateFinder
	bins   binComparer
}

func newDecoder() *decoder {
	d := &decoder{text: new(jsontext.Decoder), names: duplicateFinder{seed: maphash.MakeSeed()}}
	d.names.hashes = d.names.few[:0]
	d.bins.names = &d.names
	return d
}

// reset makes d decode body, which is at offset base of the request body.
func (d *decoder) reset(body []byte, base int) {
	d.buffer = *bytes.NewBuffer(body)
	d.body, d.base = body, base
	d.text.Reset(&d.buffer, jsontext.AllowDuplicateNames(d.findsDuplicates()))
}

// nextElement returns the next object, inside an array or not, and nil at the end of
// the body. Errors are as in next.
func (d *decoder) nextElement() ([]byte, error) {
	for {
		switch kind := d.text.PeekKind(); {
		case kind == '{':
			return d.next()
		case kind == '[' && d.text.StackDepth() == 0, kind == ']':
			if _, err := d.text.ReadToken(); err != nil {
				return nil, d.syntax(err)
			}
		case kind == 0:
			_, err := d.text.ReadToken()
			if errors.Is(err, io.EOF) && d.text.StackDepth() == 0 {
				return nil, nil
			}
			return nil, d.syntax(err)
		default:
			return nil, d.errorHere("want a JSON object or an array of objects")
		}
	}
}

// next returns the next whole value. With an error about a duplicate member it may return
// the value too; then the next can be read.
func (d *decoder) next() ([]byte, error) {
	value, err := d.text.ReadValue()
	if err != nil {
		return nil, d.syntax(err)
	}
	end := int(d.text.InputOffset())
	value = d.body[end-len(value) : end : end]
	if d.findsDuplicates() {
		d.names.hashes = d.names.hashes[:0]
		if name, _ := d.names.find(value); name != nil {
			return value, duplicateMember(d.base + end - cap(name))
		}
	}
	return value, nil
}

// offset returns the position of d in the request body.
func (d *decoder) offset() int { return d.base + int(d.text.InputOffset()) }

// largeBody is the length, in bytes, of the shortest body in which duplicateFinder looks
// for duplicate members. jsontext keeps all names of an object and takes many times their
// memory.
const largeBody = 4 << 20

// findsDuplicates reports whether duplicateFinder looks for duplicate members, instead of
// jsontext, which reads nothing after one.
func (d *decoder) findsDuplicates() bool { return d.goOn || len(d.body) >= largeBody }

// syntax replaces an error of jsontext, which may quote the data.
func (d *decoder) syntax(err error) error {
	var s *jsontext.SyntacticError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return format.ErrorAt(d.base+len(d.body), "unexpected end of JSON")
	case errors.Is(err, jsontext.ErrDuplicateName) && errors.As(err, &s):
		return duplicateMember(d.base + int(s.ByteOffset))
	case errors.As(err, &s) && s.Err != nil && s.Err.Error() == maxDepthMessage:
		return format.TooLargeAt(d.base+int(s.ByteOffset), "arrays and objects nest deeper than JSON can be checked")
	case errors.As(err, &s):
		return notJSON(d.body, int(s.ByteOffset), d.base)
	}
	return d.errorHere("not JSON")
}

// maxDepthMessage is jsontext's error for JSON that nests deeper than 10,000, which ends
// the body. Lower limits concern only one change.
const maxDepthMessage = "exceeded max depth"

// duplicateMember returns the error for a member that occurs a second time at offset.
func duplicateMember(offset int) error { return format.ErrorAt(offset, "%w", errDuplicateMember) }

var errDuplicateMember = errors.New("duplicate member in a JSON object")

// errorAfter returns the error for what follows the value that should be alone.
func (d *decoder) errorAfter(value []byte) error {
	at := len(d.body) - len(bytes.TrimLeft(d.body[len(value):], whiteSpace))
	if mistakeAt(d.body, at) != "" {
		return notJSON(d.body, at, d.base)
	}
	return d.errorHere("more than one JSON value on the line")
}

func (d *decoder) errorHere(detail string) error { return format.ErrorAt(d.offset(), "%s", detail) }

// duplicateFinder finds duplicate members. It keeps 8 bytes for each member of the open
// objects.
type duplicateFinder struct {
	seed   maphash.Seed
	hashes []uint64   // of the names in the objects that are open
	few    [32]uint64 // memory for hashes, at first
}

// find looks for a duplicate member in the valid JSON value at the start of b. It
// returns its second name, or nil and what follows the value.
func (n *duplicateFinder) find(b []byte) (name, rest []byte) {
	if b[0] != '{' && b[0] != '[' {
		return nil, b[valueEnd(b):]
	}
	whole, begin := b, len(n.hashes)
	for b = skipSeparators(b[1:]); b[0] != ']' && b[0] != '}'; b = skipSeparators(b) {
		if whole[0] == '{' {
			end := stringEnd(b)
			n.hashes = append(n.hashes, n.hash(b[:end]))
			b = skipSeparators(b[end:])
		}
		if name, b = n.find(b); name != nil {
			return name, nil
		}
	}
	name = n.duplicate(begin, func(hash uint64) []byte { return n.second(memberNames(whole), hash) })
	if name != nil {
		return name, nil
	}
	return nil, b[1:]
}

// duplicate removes the hashes from begin on, and calls second with those that occur
// twice, until it returns a name.
func (n *duplicateFinder) duplicate(begin int, second func(hash uint64) []byte) []byte {
	hashes := n.hashes[begin:]
	n.hashes = n.hashes[:begin]
	slices.Sort(hashes)
	for i := range hashes {
		if i > 0 && hashes[i] == hashes[i-1] {
			if name := second(hashes[i]); name != nil {
				return name
			}
		}
	}
	return nil
}

// second returns the second of two equal names with the hash; nil if only their hashes
// are equal.
func (n *duplicateFinder) second(names iter.Seq[[]byte], hash uint64) []byte {
	var first []byte
	for name := range names {
		switch {
		case n.hash(name) != hash:
		case first == nil:
			first = name
		case bytes.Equal(unquote(first), unquote(name)):
			return name
		}
	}
	return nil
}

// memberNames returns the names of the members of the valid object at the start of b.
func memberNames(b []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for members := newCursor(b[:nestedEnd(b)]); ; {
			if name, _, ok := members.member(); !ok || !yield(name) {
				return
			}
		}
	}
}

func (n *duplicateFinder) hash(name []byte) uint64 { return maphash.Bytes(n.seed, unquote(name)) }
