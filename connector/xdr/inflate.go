package xdr

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"sync"

	"github.com/aerosink/aerosink/connector/plural"
)

// A compressed message is a proto header of its own type, the length of the
// plain message in 8 bytes, and a zlib stream that inflates to one message with
// its own proto header (aerospike-server, proto.h, as_comp_proto).
const claimBytes = 8

// likelyRatio is the ratio of compression for which memory is allocated at first. It grows as
// it fills.
const likelyRatio = 8

// Inflate returns the plain message in a compressed frame, and other frames unchanged.
// Memory is bounded by limit, in bytes of the body of the plain message as in [NewReader],
// and by the bytes that the stream inflates to, whatever length it claims. N is the number
// of bytes inflated, even with an error. Errors are permanent.
func Inflate(f Frame, limit int) (plain Frame, n int, err error) {
	if !f.Compressed() {
		return f, 0, nil
	}
	if len(f) < protoHeader+claimBytes {
		return nil, 0, errorAt(ShortBody, len(f), "a compressed message has at least %d bytes", protoHeader+claimBytes)
	}
	most := uint64(protoHeader + limit)
	claim := binary.BigEndian.Uint64(f[protoHeader:])
	tooBig := errorAt(InflatedSizeTooBig, protoHeader, "claims to inflate to %d bytes, the limit is %d", claim, most)
	size := claim
	if claim > most { // servers of release 4 write it little-endian
		size = bits.ReverseBytes64(claim)
	}
	if size > most {
		return nil, 0, tooBig
	}
	stream, err := inflate(f[protoHeader+claimBytes:], int(size))
	switch {
	case err != nil && claim > most: // not little-endian either
		return nil, len(stream), tooBig
	case err != nil:
		return nil, len(stream), err
	}
	plain, err = single(stream)
	return plain, len(stream), err
}

// inflate inflates the stream to size bytes, neither more nor less. With an error it returns
// what it has inflated.
func inflate(stream []byte, size int) ([]byte, error) {
	const at = protoHeader + claimBytes
	z := inflaters.Get().(*inflater) //nolint:forcetypeassert // nothing else is put there
	defer z.free()
	if err := z.open(stream); err != nil {
		return nil, errorAt(BadZlib, at, "%v", err)
	}
	var err error
	plain := make([]byte, 0, min(size, likelyRatio*len(stream))+1)
	for err == nil && len(plain) <= size {
		if len(plain) == cap(plain) {
			plain = append(make([]byte, 0, min(2*cap(plain), size+1)), plain...)
		}
		var n int
		n, err = z.out.Read(plain[len(plain):cap(plain)])
		plain = plain[:len(plain)+n]
	}
	switch {
	case len(plain) > size:
		return plain, errorAt(BadInflatedSize, protoHeader, "claims to inflate to %s, and has more", plural.Of(size, "byte"))
	case !errors.Is(err, io.EOF):
		return plain, errorAt(BadZlib, at, "%v after %s", err, plural.Of(len(plain), "byte"))
	case len(plain) < size:
		return plain, errorAt(BadInflatedSize, protoHeader, "claims to inflate to %s, and has %d", plural.Of(size, "byte"), len(plain))
	}
	return plain, nil
}

// inflateHead inflates the beginning of the message in a compressed frame, which may be
// incomplete or damaged. It returns nothing if that is not a plain message.
func inflateHead(f Frame) Frame {
	z := inflaters.Get().(*inflater) //nolint:forcetypeassert // nothing else is put there
	defer z.free()
	if err := z.open(f[min(len(f), protoHeader+claimBytes):]); err != nil {
		return nil
	}
	plain := make([]byte, headSize)
	n, _ := io.ReadFull(z.out, plain) // whatever the error, these bytes are the beginning
	if n < protoHeader || plain[0] != protoVersion || plain[1] != typeMessage {
		return nil
	}
	return plain[:n]
}

// inflater inflates zlib streams. It is pooled, since it is larger than most messages.
type inflater struct {
	in  bytes.Reader
	out io.ReadCloser // reads from in; nil until the first valid stream
}

var inflaters = sync.Pool{New: func() any { return new(inflater) }}

// open begins a stream.
func (z *inflater) open(stream []byte) error {
	z.in.Reset(stream)
	if z.out != nil {
		return z.out.(zlib.Resetter).Reset(&z.in, nil) //nolint:forcetypeassert // documented by zlib.NewReader
	}
	out, err := zlib.NewReader(&z.in)
	if err != nil {
		return err
	}
	z.out = out
	return nil
}

// free returns z to the pool, without the stream.
func (z *inflater) free() {
	z.in.Reset(nil)
	inflaters.Put(z)
}

// single returns b as a frame if it is exactly one plain message.
func single(b []byte) (Frame, error) {
	r := NewReader(bytes.NewReader(b), MaxSize)
	f, err := r.Next()
	var fault *Error
	switch {
	case errors.As(err, &fault):
		return nil, errorAt(InflatedNotOneFrame, fault.Offset, "%s: %s", fault.Kind, fault.Detail)
	case err != nil:
		return nil, errorAt(InflatedNotOneFrame, len(b), "ends early")
	case len(f) != len(b) || f.Compressed():
		return nil, errorAt(InflatedNotOneFrame, 0, "%s inflated, %d in a message of type %d", plural.Of(len(b), "byte"), len(f), f[1])
	}
	return f, nil
}

// AppendCompressed appends frame to dst as a compressed message, as a node ships it with
// enable-compression.
func AppendCompressed(dst []byte, frame Frame) ([]byte, error) {
	var stream bytes.Buffer
	z := zlib.NewWriter(&stream)
	if _, err := z.Write(frame); err != nil {
		return nil, fmt.Errorf("compress xdr message: %w", err)
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("compress xdr message: %w", err)
	}
	dst = appendProtoHeader(dst, typeCompressed, claimBytes+stream.Len())
	dst = binary.BigEndian.AppendUint64(dst, uint64(len(frame)))
	return append(dst, stream.Bytes()...), nil
}
