package xdr

import "io"

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
