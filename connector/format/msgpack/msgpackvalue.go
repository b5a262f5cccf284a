package msgpack

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/tinylib/msgp/msgp"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
)

// collection packs the list or map that is next in Aerospike's own form.
func (r *packReader) collection(kind change.Kind, order change.Order) change.Value {
	var p change.Packer
	r.pack(&p, kind, order, 1)
	if r.err != nil {
		return change.Value{}
	}
	v, err := p.Value(kind)
	if err != nil {
		r.fail("%v", err)
	}
	return v
}

func (r *packReader) pack(p *change.Packer, kind change.Kind, order change.Order, depth int) {
	if !kind.IsCollection() {
		if v := r.scalar(kind); r.err == nil {
			p.Add(v)
		}
		return
	}
	if depth > change.MaxDepth {
		r.fail("%w", format.ErrDepth)
		return
	}
	n := 0
	if kind == change.KindMap {
		n = 2 * int(take(r, "a map", msgp.ReadMapHeaderBytes))
	} else {
		n = int(take(r, "a list", msgp.ReadArrayHeaderBytes))
	}
	p.Open(kind, order)
	for i := 0; i < n && r.err == nil; i++ {
		r.pack(p, r.next(), change.Unordered, depth+1)
	}
	p.Close()
}

// next returns the kind of what is next. An extension is of KindOpaque.
func (r *packReader) next() change.Kind {
	switch msgp.NextType(r.rest) {
	case msgp.NilType:
		return change.KindNil
	case msgp.BoolType:
		return change.KindBool
	case msgp.IntType, msgp.UintType:
		return change.KindInteger
	case msgp.Float32Type, msgp.Float64Type:
		return change.KindDouble
	case msgp.StrType:
		return change.KindString
	case msgp.BinType:
		return change.KindBlob
	case msgp.ArrayType:
		return change.KindList
	case msgp.MapType:
		return change.KindMap
	}
	return change.KindOpaque
}

// scalar reads a value of the kind that next returned, which is no collection.
func (r *packReader) scalar(kind change.Kind) change.Value {
	switch kind {
	case change.KindNil:
		r.isNil()
		return change.Value{}
	case change.KindBool:
		return change.BoolValue(take(r, "a bool", msgp.ReadBoolBytes))
	case change.KindInteger:
		if msgp.NextType(r.rest) == msgp.UintType {
			return change.UnsignedValue(take(r, "an integer", msgp.ReadUint64Bytes))
		}
		return change.IntegerValue(take(r, "an integer", msgp.ReadInt64Bytes))
	case change.KindDouble:
		return change.DoubleValue(take(r, "a double", msgp.ReadFloat64Bytes))
	case change.KindString:
		return change.StringValue(take(r, "a string", msgp.ReadStringZC))
	case change.KindBlob:
		return change.BytesValue(kind, take(r, "a blob", msgp.ReadBytesZC))
	}
	return r.extension()
}

// extension reads an extension object as a value of the particle type that it
// names, or, when that is none that travels so, as it is.
func (r *packReader) extension() change.Value {
	if r.err != nil {
		return change.Value{}
	}
	head, content, end, err := extensionOf(r.rest)
	if err != nil {
		r.fail("%v", err)
		return change.Value{}
	}
	kind, whole := change.Kind(r.rest[head]), r.rest[:end:end]
	r.rest = r.rest[end:]
	switch {
	case kind == change.KindGeoJSON:
		return change.GeoJSONValue(content)
	case !format.IsBytes(kind) || kind == math.MaxUint8: // 255 is Aerospike's own for values that no record holds
		return change.BytesValue(change.KindOpaque, whole)
	}
	return change.BytesValue(kind, content)
}

// extensionOf returns where the type of the extension at the start of b is, its
// content, and where it ends.
func extensionOf(b []byte) (head int, content []byte, end int, err error) {
	if len(b) == 0 {
		return 0, nil, 0, msgp.ErrShortBytes
	}
	n, size := 0, uint64(0)
	switch c := b[0]; c {
	case 0xd4, 0xd5, 0xd6, 0xd7, 0xd8:
		size = 1 << (c - 0xd4)
	case 0xc7, 0xc8, 0xc9:
		n = 1 << (c - 0xc7)
		if len(b) < 1+n {
			return 0, nil, 0, msgp.ErrShortBytes
		}
		size = bigEndian(b[1 : 1+n])
	default:
		return 0, nil, 0, fmt.Errorf("byte 0x%02x begins nothing", c)
	}
	head = 1 + n
	if uint64(len(b)-head) < 1+size {
		return 0, nil, 0, msgp.ErrShortBytes
	}
	end = head + 1 + int(size)
	return head, b[head+1 : end : end], end, nil
}

func bigEndian(b []byte) uint64 {
	var eight [8]byte
	copy(eight[8-len(b):], b)
	return binary.BigEndian.Uint64(eight[:])
}
