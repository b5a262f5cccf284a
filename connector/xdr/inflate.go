package xdr

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
)

// A compressed message is a proto header of its own type, the length of the
// plain message in 8 bytes, and a zlib stream that inflates to one message with
// its own proto header (aerospike-server, proto.h, as_comp_proto).
const claimBytes = 8

// zlib inflates to at most so many times the stream's length: a match of 258 bytes
// takes at least 2 bits (zlib's technical details, "Maximum Compression Factor").
const maxRatio = 1032

// Inflate returns the plain message inside a compressed frame, and any other
// frame as it is. Memory is bounded by limit, in bytes of the plain message's
// body as in [NewReader], and by what the stream can inflate to, whatever it
// claims. Errors are permanent.
func Inflate(f Frame, limit int) (Frame, error) {
	if !f.Compressed() {
		return f, nil
	}
	if len(f) < protoHeader+claimBytes {
		return nil, faulty(ShortBody, len(f), "a compressed message has at least %d bytes", protoHeader+claimBytes)
	}
	most := uint64(protoHeader + limit)
	claim := binary.BigEndian.Uint64(f[protoHeader:])
	tooBig := faulty(InflatedSizeTooBig, protoHeader, "says it inflates to %d bytes, the limit is %d", claim, most)
	size := claim
	if claim > most { // servers of release 4 wrote it little-endian
		size = bits.ReverseBytes64(claim)
	}
	if size > most {
		return nil, tooBig
	}
	plain, err := inflate(f[protoHeader+claimBytes:], int(size))
	switch {
	case err != nil && claim > most: // not little-endian either
		return nil, tooBig
	case err != nil:
		return nil, err
	}
	return single(plain)
}

// inflate returns what the stream inflates to, which must be size bytes.
func inflate(stream []byte, size int) ([]byte, error) {
	const at = protoHeader + claimBytes
	z, err := zlib.NewReader(bytes.NewReader(stream))
	if err != nil {
		return nil, faulty(BadZlib, at, "%v", err)
	}
	plain := bytes.NewBuffer(make([]byte, 0, min(size, maxRatio*len(stream))+1+bytes.MinRead))
	n, err := io.Copy(plain, io.LimitReader(z, int64(size)+1))
	switch {
	case err != nil:
		return nil, faulty(BadZlib, at, "%v after %d bytes", err, n)
	case n > int64(size):
		return nil, faulty(BadInflatedSize, protoHeader, "says it inflates to %d bytes, and goes on", size)
	case n < int64(size):
		return nil, faulty(BadInflatedSize, protoHeader, "says it inflates to %d bytes, and has %d", size, n)
	}
	return plain.Bytes(), nil
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
