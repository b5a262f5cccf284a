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
)

// A compressed message is a proto header of its own type, the length of the
// plain message in 8 bytes, and a zlib stream that inflates to one message with
// its own proto header (aerospike-server, proto.h, as_comp_proto).
const claimBytes = 8

// likelyRatio is what is made room for before the first byte is inflated. More room
// is made as it is filled.
const likelyRatio = 8

// Inflate returns the plain message inside a compressed frame, and any other
// frame as it is. Memory is bounded by limit, in bytes of the plain message's
// body as in [NewReader], and by what the stream inflates to, whatever it claims.
// N is how many bytes were inflated, also where there is an error. Errors are
// permanent.
func Inflate(f Frame, limit int) (plain Frame, n int, err error) {
	if !f.Compressed() {
		return f, 0, nil
	}
	if len(f) < protoHeader+claimBytes {
		return nil, 0, faulty(ShortBody, len(f), "a compressed message has at least %d bytes", protoHeader+claimBytes)
	}
	most := uint64(protoHeader + limit)
	claim := binary.BigEndian.Uint64(f[protoHeader:])
	tooBig := faulty(InflatedSizeTooBig, protoHeader, "says it inflates to %d bytes, the limit is %d", claim, most)
	size := claim
	if claim > most { // servers of release 4 wrote it little-endian
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

// inflate returns what the stream inflates to, which must be size bytes; with an
// error, as much of it as was read.
func inflate(stream []byte, size int) ([]byte, error) {
	const at = protoHeader + claimBytes
	z, err := inflaterOf(stream)
	if z != nil {
		defer inflaters.Put(z)
	}
	if err != nil {
		return nil, faulty(BadZlib, at, "%v", err)
	}
	plain := make([]byte, 0, min(size, likelyRatio*len(stream))+1)
	for err == nil && len(plain) <= size {
		if len(plain) == cap(plain) {
			plain = append(make([]byte, 0, min(2*cap(plain), size+1)), plain...)
		}
		var n int
		n, err = z.Read(plain[len(plain):cap(plain)])
		plain = plain[:len(plain)+n]
	}
	switch {
	case len(plain) > size:
		return plain, faulty(BadInflatedSize, protoHeader, "says it inflates to %d bytes, and goes on", size)
	case !errors.Is(err, io.EOF):
		return plain, faulty(BadZlib, at, "%v after %d bytes", err, len(plain))
	case len(plain) < size:
		return plain, faulty(BadInflatedSize, protoHeader, "says it inflates to %d bytes, and has %d", size, len(plain))
	}
	return plain, nil
}

// inflaters keeps readers of zlib, of which each is larger than most messages.
var inflaters sync.Pool

func inflaterOf(stream []byte) (io.ReadCloser, error) {
	z, ok := inflaters.Get().(io.ReadCloser)
	if !ok {
		return zlib.NewReader(bytes.NewReader(stream))
	}
	return z, z.(zlib.Resetter).Reset(bytes.NewReader(stream), nil) //nolint:forcetypeassert // zlib's readers say so
}

// single returns b as a frame if it is just one plain message.
func single(b []byte) (Frame, error) {
	r := NewReader(bytes.NewReader(b), MaxSize)
	f, err := r.Next()
	var fault *Error
	switch {
	case errors.As(err, &fault):
		return nil, faulty(InflatedNotOneFrame, fault.Offset, "%s: %s", fault.Fault, fault.Detail)
	case err != nil:
		return nil, faulty(InflatedNotOneFrame, len(b), "ends early")
	case len(f) != len(b) || f.Compressed():
		return nil, faulty(InflatedNotOneFrame, 0, "%d bytes inflated, %d in a message of type %d", len(b), len(f), f[1])
	}
	return f, nil
}

// AppendCompressed appends frame to dst as a compressed message, as a node with
// enable-compression ships it.
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
