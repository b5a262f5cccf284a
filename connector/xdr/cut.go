package xdr

import "io"

// What a frame begins with, and what a message begins with that has lost its proto
// header: the version, and the size of the message header.
const (
	FirstByte     = protoVersion
	FirstByteBare = messageHeader
)

// Cut splits the first frame off b, which holds frames one after another. The
// frame shares b's memory. Where b ends inside it, and where b is empty, the error
// is io.ErrUnexpectedEOF; where b does not begin with a frame, an *[Error].
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

// CutBare splits the first message off b, which holds messages without their proto
// headers one after another: how long one is follows from its fields and ops. The
// frame is a copy, with the proto header that was missing. What cannot be walked to its
// end is an *[Error], whose offset counts from the start of b.
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
		return nil, nil, faulty(ProtoSizeTooBig, 0, "body of %d bytes, the server's own limit is %d", m.at, MaxSize)
	}
	f = appendProtoHeader(make(Frame, 0, protoHeader+m.at), typeMessage, m.at)
	return append(f, b[:m.at]...), m.rest, nil
}
