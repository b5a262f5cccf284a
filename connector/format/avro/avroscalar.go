package avro

import (
	"encoding/binary"
	"math"

	"github.com/aerosink/aerosink/connector/change"
)

// plain reads a value that is neither a union nor a collection.
func (r *avroReader) plain(t *avroType) change.Value {
	switch t.kind {
	case avroBoolean:
		b := r.take(1)
		if r.err == nil && b[0] > 1 {
			r.fail("a boolean that is neither 0 nor 1")
		}
		return change.BoolValue(r.err == nil && b[0] == 1)
	case avroInt, avroLong:
		i := r.long()
		if t.kind == avroInt && int64(int32(i)) != i {
			r.fail("an int of more than 32 bits")
		}
		return change.IntegerValue(i)
	case avroFloat:
		if b := r.take(4); r.err == nil {
			return change.DoubleValue(float64(math.Float32frombits(binary.LittleEndian.Uint32(b))))
		}
	case avroDouble:
		if b := r.take(8); r.err == nil {
			return change.DoubleValue(math.Float64frombits(binary.LittleEndian.Uint64(b)))
		}
	case avroString:
		return change.StringValue(r.bytes())
	case avroEnum:
		i := r.long()
		if r.err == nil && i >= 0 && i < int64(len(t.symbols)) {
			return change.StringValue(r.spelt(t.symbols[i]))
		}
		r.fail("symbol %d of an enum of %d", i, len(t.symbols))
	case avroBytes:
		return change.BytesValue(change.KindBlob, r.bytes())
	case avroFixed:
		return change.BytesValue(change.KindBlob, r.take(t.size))
	}
	return change.Value{}
}

// long reads an integer.
func (r *avroReader) long() int64 {
	if r.err != nil {
		return 0
	}
	i, n := binary.Varint(r.rest)
	switch {
	case n == 0:
		r.fail("it ends too early")
	case n < 0:
		r.fail("an integer of more than 64 bits")
	default:
		r.rest = r.rest[n:]
	}
	return i
}

// bytes reads bytes behind their length.
func (r *avroReader) bytes() []byte {
	n := r.long()
	if n < 0 || n > int64(len(r.rest)) {
		r.fail("%d bytes announced, %d are left", n, len(r.rest))
		return nil
	}
	return r.take(int(n))
}

// take reads n bytes, which share the body's memory.
func (r *avroReader) take(n int) []byte {
	if r.err != nil {
		return nil
	}
	if n > len(r.rest) {
		r.fail("%d bytes announced, %d are left", n, len(r.rest))
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}
