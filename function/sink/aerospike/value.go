package aerospike

import (
	"errors"
	"fmt"

	as "github.com/aerospike/aerospike-client-go/v7"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/xdr"
)

// bin returns the bin of a change for a write, with the bytes that Aerospike stores. It is an
// error if a client cannot write them so that they are the same when read: the kinds that
// the server refuses, and those that exist only in text formats.
//
// The source is aerospike-server, as/src/base/particle*.c and cdt.c: which particles a client
// may write, and which keys a map may have.
func bin(b *change.Bin) (*as.Bin, error) {
	v := b.Value
	switch kind := v.Kind(); {
	case kind == change.KindNil:
		return as.NewBin(b.Name, nil), nil
	case kind.IsCollection():
		if key, ok := unfitKey(v); !ok {
			return nil, fmt.Errorf("bin %q: it has a map with a key that is a %s, and the server takes only integers, strings and blobs", b.Name, key)
		}
		return as.NewBin(b.Name, &as.RawBlobValue{ParticleType: int(kind), Data: v.Packed()}), nil
	case kind == change.KindGeoJSON:
		// The server computes the cells again; it ignores those that are sent.
		return as.NewBin(b.Name, &as.RawBlobValue{ParticleType: int(kind), Data: append([]byte{0, 0, 0}, v.Bytes()...)}), nil
	case !isWritable(kind):
		return nil, fmt.Errorf("bin %q: a client cannot write a bin of kind %s", b.Name, kind)
	default:
		return as.NewBin(b.Name, &as.RawBlobValue{ParticleType: int(kind), Data: xdr.AppendParticle(nil, v)}), nil
	}
}

// isWritable reports whether the server takes bins of the kind from clients.
func isWritable(kind change.Kind) bool {
	switch kind {
	case change.KindInteger, change.KindDouble, change.KindString, change.KindBlob,
		change.KindJavaBlob, change.KindCSharpBlob, change.KindPythonBlob, change.KindRubyBlob, change.KindPHPBlob, change.KindErlangBlob,
		change.KindVector, change.KindBool, change.KindHLL, change.KindMap, change.KindList, change.KindGeoJSON:
		return true
	}
	return false
}

// unfitKey returns the kind of a map's key in v that the server does not take. Ok is true if
// there is none.
func unfitKey(v change.Value) (kind change.Kind, ok bool) {
	r := v.Elements()
	open := []collection{{left: slots(v), isMap: v.Kind() == change.KindMap}}
	for len(open) > 0 {
		c := &open[len(open)-1]
		if c.left == 0 {
			open = open[:len(open)-1]
			continue
		}
		isKey := c.isMap && c.left%2 == 0
		c.left--
		e := r.Next()
		if isKey && !isMapKey(e.Kind()) {
			return e.Kind(), false
		}
		if e.Kind().IsCollection() {
			open = append(open, collection{left: slots(e), isMap: e.Kind() == change.KindMap})
		}
	}
	return 0, true
}

// collection is a list or map whose elements are being read.
type collection struct {
	left  int // keys and values count one each
	isMap bool
}

// slots returns how many values follow the header of a collection.
func slots(v change.Value) int {
	if v.Kind() == change.KindMap {
		return 2 * v.Len()
	}
	return v.Len()
}

func isMapKey(kind change.Kind) bool {
	switch kind {
	case change.KindInteger, change.KindUnsigned, change.KindString, change.KindBlob:
		return true
	}
	return false
}

// userKey returns the user key as the client takes it, nil if there is none.
func userKey(v change.Value) (any, error) {
	switch v.Kind() {
	case change.KindNil:
		return nil, nil
	case change.KindInteger:
		return v.Integer(), nil
	case change.KindDouble:
		return v.Double(), nil
	case change.KindString:
		return string(v.Bytes()), nil
	case change.KindBlob:
		return v.Bytes(), nil
	}
	return nil, errors.New("a client cannot send a user key of kind " + v.Kind().String())
}
