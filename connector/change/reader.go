package change

import (
	"errors"
	"fmt"
)

// MaxDepth is how deep collections may nest: the list in a bin is at depth 1.
const MaxDepth = 256

// Order is the order that a collection's owner asked the server to keep. Its
// numbers are Aerospike's (aerospike-common, as_msgpack.h:
// AS_PACKED_MAP_FLAG_K_ORDERED, AS_PACKED_MAP_FLAG_KV_ORDERED; aerospike-server,
// particle_list.c: AS_PACKED_LIST_FLAG_ORDERED).
type Order uint8

// A list is unordered or ordered; a map is unordered, key-ordered or
// key-value-ordered.
const (
	Unordered       Order = 0
	Ordered         Order = 1 // a list
	KeyOrdered      Order = 1 // a map
	KeyValueOrdered Order = 3 // a map
)

// Reader walks the elements of a collection in one pass. A nested collection
// comes as a Value whose own elements follow in the same Reader:
//
//	func walk(r *change.Reader) {
//		v := r.Next()
//		switch v.Kind() {
//		case change.KindList:
//			for range v.Len() {
//				walk(r)
//			}
//		case change.KindMap:
//			for range v.Len() {
//				walk(r) // the key
//				walk(r) // the value
//			}
//		}
//	}
//
// The zero Reader is at its end.
type Reader struct{ rest []byte }

// ListValue returns packed as a value of KindList, after checking it to its last
// byte and down to [MaxDepth].
func ListValue(packed []byte) (Value, error) { return collection(KindList, packed) }

// MapValue returns packed as a value of KindMap, after checking it likewise.
func MapValue(packed []byte) (Value, error) { return collection(KindMap, packed) }

// Packed returns the packed form of a list or map that was not met inside
// another: see [Reader].
func (v Value) Packed() []byte { return v.raw }

// Elements returns a Reader of the elements of a list, or of the keys and values
// of a map in turn. It must not be asked of a collection met inside another: its
// elements follow in the Reader that gave it.
func (v Value) Elements() Reader {
	r := Reader{rest: v.raw}
	if v.kind.IsCollection() {
		r.Next()
	}
	return r
}

// Len returns the number of elements of a list or of pairs of a map, 0 of
// anything else.
func (v Value) Len() int {
	if !v.kind.IsCollection() {
		return 0
	}
	return int(v.num >> 8)
}

// Order returns the order of a list or map.
func (v Value) Order() Order { return Order(v.num) & KeyValueOrdered }

// Depth returns how deep lists and maps nest in v, which is 1 for one that holds
// none, and 0 when v is neither. Like Elements it must not be asked of a collection
// met inside another.
func (v Value) Depth() int {
	if !v.kind.IsCollection() {
		return 0
	}
	r, deepest := v.Elements(), 1
	left := []uint64{v.slots()} // at each depth, how many values are still to come
	for len(left) > 0 {
		last := len(left) - 1
		if left[last] == 0 {
			left = left[:last]
			continue
		}
		left[last]--
		if inner := r.Next(); inner.kind.IsCollection() {
			left = append(left, inner.slots())
			deepest = max(deepest, len(left))
		}
	}
	return deepest
}

// Next returns the next element. Past the end it returns nil values: a Reader is
// made only over what was checked.
func (r *Reader) Next() (v Value) {
	if r.read(&v) != nil {
		r.rest = nil
		return Value{}
	}
	return v
}

// Skip steps over the elements of v, the collection that Next returned last. Of
// anything else it does nothing.
func (r *Reader) Skip(v Value) {
	if r.skip(v.slots()) != nil {
		r.rest = nil
	}
}

func collection(kind Kind, packed []byte) (v Value, err error) {
	r := Reader{rest: packed}
	if err = r.read(&v); err != nil {
		return Value{}, err
	}
	if v.kind != kind {
		return Value{}, fmt.Errorf("%s where a %s should be", v.kind, kind)
	}
	if err = r.skip(v.slots()); err != nil {
		return Value{}, err
	}
	if len(r.rest) > 0 {
		return Value{}, fmt.Errorf("%d bytes after the end of the %s", len(r.rest), kind)
	}
	v.raw = packed
	return v, nil
}

// ErrDepth is the error for a collection that nests deeper than [MaxDepth].
var ErrDepth = fmt.Errorf("collections nest deeper than %d", MaxDepth)

var errTruncated = errors.New("packed value ends too early")

// skip checks and steps over the n values of a collection at depth 1.
func (r *Reader) skip(n uint64) error {
	var v Value
	for ; n > 0; n-- {
		if err := r.read(&v); err != nil {
			return err
		}
		if v.kind.IsCollection() {
			return r.skipNested(n-1, v.slots())
		}
	}
	return nil
}

// skipNested is skip where there are collections in the collection, without
// recursion: left counts what is missing at each depth, beginning with outer and
// inner.
func (r *Reader) skipNested(outer, inner uint64) error {
	var v Value
	var left [MaxDepth]uint64
	left[0], left[1] = outer, inner
	for depth := 1; depth >= 0; {
		if left[depth] == 0 {
			depth--
			continue
		}
		left[depth]--
		if err := r.read(&v); err != nil {
			return err
		}
		if v.kind.IsCollection() {
			if depth++; depth == MaxDepth {
				return ErrDepth
			}
			left[depth] = v.slots()
		}
	}
	return nil
}

// slots returns how many values follow the head of v in its Reader.
func (v Value) slots() uint64 {
	switch v.kind {
	case KindList:
		return v.num >> 8
	case KindMap:
		return v.num >> 8 * 2
	}
	return 0
}
