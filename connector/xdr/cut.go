package xdr

import "io"

// The first byte of a frame, its version, and of a message without a proto header, the size
// of the message header.
const (
	FirstByte     = protoVersion
	FirstByteBare = messageHeader
)

// Cut splits the first frame off b, a sequence of frames. The frame shares the memory of b.
// The error is io.ErrUnexpectedEOF if b is empty or ends in the frame, and an *[Error] if b
// does not begin with a frame.
func Cut(b []byte) (f Frame, rest []byte, err error) {
	if len(b) < protoHeader {
		return nil, nil, io.ErrUnexpectedEOF
	}
	size, err := bodySize(b)
	if err != nil {
		return nil, nil, err
	}
	end := protoHeader + size
	if len(b) < end {
		return nil, nil, io.ErrUnexpectedEOF
	}
	return Frame(b[:end:end]), b[end:], nil
}

// CutBare splits the first message off b, a sequence of messages without proto headers. The
// length of a message follows from its fields and ops. The frame is a copy, with a proto
// header. If the message is malformed, the error is an *[Error] whose offset is from the
// start of b.
func CutBare(b []byte) (f Frame, rest []byte, err error) {
	m := message{rest: b}
	h, err := m.header()
	if err != nil {
		return nil, nil, err
	}
	for range h.fields {
		if _, _, _, err := m.field(); err != nil {
			return nil, nil, err
		}
	}
	var o op
	for range h.ops {
		if err := m.op(&o); err != nil {
			return nil, nil, err
		}
	}
	if m.at > MaxSize {
		return nil, nil, errorAt(ProtoSizeTooBig, 0, "body of %d bytes, the server's own limit is %d", m.at, MaxSize)
	}
	f = appendProtoHeader(make(Frame, 0, protoHeader+m.at), typeMessage, m.at)
	return append(f, b[:m.at]...), m.rest, nil
}
