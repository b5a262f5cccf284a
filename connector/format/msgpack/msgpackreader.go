package msgpack

import (
	"errors"
	"math"

	"github.com/tinylib/msgp/msgp"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
)

// packReader reads one change in [Format]. It keeps its first fault and then
// reads nothing more, so that the code reads as the message does.
type packReader struct {
	rest  []byte
	end   int // offset of the end of rest in the request body
	names *change.Names
	bins  bool // read them too
	err   error
}

// fail keeps an error about what is read next.
func (r *packReader) fail(detail string, args ...any) {
	if r.err == nil {
		r.err = format.ErrorAt(r.offset(), detail, args...)
	}
}

func (r *packReader) offset() int { return r.end - len(r.rest) }

func (r *packReader) change(c *change.Change) {
	r.array("a change", packElements)
	if version := r.integer("the version"); version != packVersion {
		r.fail("the version is not %d", packVersion)
	}
	switch r.integer("the type") {
	case packDelete:
		r.array("a delete", 2)
		r.key(c)
		c.Op = change.Delete
		if r.integer("flags")&packDurable != 0 {
			c.Op = change.DurableDelete
		}
	case packWrite:
		r.write(c)
	default:
		r.fail("neither a write nor a delete")
	}
}

func (r *packReader) write(c *change.Change) {
	r.array("a write", 5)
	r.key(c)
	gen := r.integer("the generation")
	if c.Generation = uint32(gen); int64(c.Generation) != gen {
		r.fail("the generation is none")
	}
	if c.Expiry = change.ExpiryUnknown; !r.isNil() {
		c.Expiry = max(r.integer("the expiry"), 0) // -1 is another way to say never
	}
	c.LUT = r.integer("the last update time")
	if !r.bins {
		return
	}
	n := take(r, "the bins", msgp.ReadArrayHeaderBytes)
	for i := 0; i < int(n) && r.err == nil; i++ {
		c.Bins = append(c.Bins, r.bin(i))
	}
}

func (r *packReader) key(c *change.Change) {
	r.array("the key", 4)
	c.Namespace = r.name("the namespace", format.SlotNamespace)
	if c.Namespace == "" {
		r.fail("the namespace is empty")
	}
	if !r.isNil() {
		c.Set = r.name("the set", format.SlotSet)
	}
	digest := take(r, "the digest", msgp.ReadBytesZC)
	if len(digest) != len(c.Digest) {
		r.fail("the digest has %d bytes, not %d", len(digest), len(c.Digest))
	}
	copy(c.Digest[:], digest)
	if kind := r.next(); format.IsUserKey(kind) {
		c.Key = r.scalar(kind)
	} else {
		r.fail("the user key is neither string, number nor bytes")
	}
}

func (r *packReader) bin(i int) change.Bin {
	r.array("a bin", 4)
	b := change.Bin{Name: r.name("a bin's name", format.SlotBins+i)}
	number := r.integer("a bin's type")
	kind := change.Kind(number)
	if number < 0 || number > math.MaxUint8 {
		r.fail("a bin's type is no particle type")
	}
	order := change.Order(r.integer("a bin's flags")) & change.KeyValueOrdered
	switch have := r.next(); {
	case have.IsCollection():
		if kind != have {
			r.fail("a %s, whose type says %s", have, kind)
			return b
		}
		b.Value = r.collection(have, order)
	default:
		b.Value = r.typed(kind, r.scalar(have))
	}
	return b
}

// typed gives a value the kind that stands beside it.
func (r *packReader) typed(kind change.Kind, v change.Value) change.Value {
	have := v.Kind()
	switch {
	case kind == have, have == change.KindUnsigned && kind == change.KindInteger:
		return v
	case have == change.KindString && kind == change.KindGeoJSON:
		return change.GeoJSONValue(v.Bytes())
	case have == change.KindBlob && format.IsBytes(kind):
		return change.BytesValue(kind, v.Bytes())
	}
	r.fail("a %s, whose type says %s", have, kind)
	return change.Value{}
}

// take reads what is next with one of the library's functions.
func take[T any](r *packReader, what string, read func([]byte) (T, []byte, error)) (v T) {
	if r.err != nil {
		return v
	}
	v, rest, err := read(r.rest)
	if err != nil {
		r.fail("%s: %s", what, withoutData(err))
		return v
	}
	r.rest = rest
	return v
}

// withoutData returns what an error of the library says; of a number out of range
// it says the number.
func withoutData(err error) string {
	var signed msgp.IntOverflow
	var unsigned msgp.UintOverflow
	if errors.As(err, &signed) || errors.As(err, &unsigned) {
		return "an integer of more than 63 bits"
	}
	return err.Error()
}

func (r *packReader) array(what string, want int) {
	if n := int(take(r, what, msgp.ReadArrayHeaderBytes)); n != want {
		r.fail("%s is an array of %d, not %d", what, n, want)
	}
}

func (r *packReader) isNil() bool {
	if r.err != nil || msgp.NextType(r.rest) != msgp.NilType {
		return false
	}
	r.rest = r.rest[1:]
	return true
}

// integer reads an integer, or nil as 0, which means unknown.
func (r *packReader) integer(what string) int64 {
	if r.isNil() {
		return 0
	}
	return take(r, what, msgp.ReadInt64Bytes)
}

func (r *packReader) name(what string, slot int) string {
	return r.names.Of(take(r, what, msgp.ReadStringZC), slot)
}
