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

// Inflate returns the plain message inside a compressed frame, and any other
// frame as it is. Memory is bounded by limit, in bytes of the plain message's
// body as in [NewReader], whatever the frame claims. Errors are permanent.
func Inflate(f Frame, limit int) (Frame, error) {
	if !f.Compressed() {
		return f, nil
	}
	if len(f) < protoHeader+claimBytes {
		return nil, faulty(ShortBody, len(f), "a compressed message has at least %d bytes", protoHeader+claimBytes)
	}
	claim := binary.BigEndian.Uint64(f[protoHeader:])
	z, err := zlib.NewReader(bytes.NewReader(f[protoHeader+claimBytes:]))
	if err != nil {
		return nil, badClaim(claim, limit, faulty(BadZlib, protoHeader+claimBytes, "%v", err))
	}
	most := int64(protoHeader + limit)
	var plain bytes.Buffer
	n, err := io.Copy(&plain, io.LimitReader(z, most+1))
	switch {
	case n > most:
		return nil, faulty(InflatedSizeTooBig, protoHeader, "inflates to more than %d bytes", most)
	case err != nil:
		return nil, badClaim(claim, limit, faulty(BadZlib, protoHeader+claimBytes, "%v after %d bytes", err, n))
	case claim != uint64(n) && bits.ReverseBytes64(claim) != uint64(n): // servers of release 4 wrote it little-endian
		return nil, badClaim(claim, limit, faulty(BadInflatedSize, protoHeader, "inflates to %d bytes, says %d", n, claim))
	}
	return single(plain.Bytes())
}

// badClaim reports a claim that is over the limit instead of the fault that came
// of it.
func badClaim(claim uint64, limit int, err error) error {
	if most := uint64(protoHeader + limit); claim > most {
		return faulty(InflatedSizeTooBig, protoHeader, "says it inflates to %d bytes, the limit is %d", claim, most)
	}
	return err
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
