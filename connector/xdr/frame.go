package xdr

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Frame is one message as it came: the proto header and the body it announces.
type Frame []byte

// Compressed reports whether the body is a compressed message.
func (f Frame) Compressed() bool { return f[1] == typeCompressed }

// DefaultLimit is the largest frame body that a [Reader] takes when it is not
// told otherwise. It is the largest record that Aerospike stores.
const DefaultLimit = 8 << 20

// Memory that a Reader reads into. It begins small, for a node holds many
// connections and uses few, and grows where the stream fills it.
const (
	smallSlab = 4 << 10
	largeSlab = 64 << 10

	// worthReading is the least free room at the end of a slab that is read into
	// when the frame will have to move to a new slab anyway.
	worthReading = 512
)

// Reader cuts a stream into frames. It is resumable: after an error of the
// source, such as a deadline that passed, the next call goes on where the stream
// was, also inside a frame.
type Reader struct {
	src   io.Reader
	limit int

	// slab[start:end] was read and not returned yet. Frames are parts of slabs,
	// and a slab is never written twice, so that a frame stays whole for as long
	// as someone holds it.
	slab       []byte
	start, end int
	slabSize   int

	skip int   // what is left to discard of a message over the limit
	over error // what to say of it when it is gone
}

// NewReader returns a Reader of frames whose body has at most limit bytes; a
// limit of 0 means DefaultLimit, and none is above MaxSize.
func NewReader(src io.Reader, limit int) *Reader {
	if limit <= 0 {
		limit = DefaultLimit
	}
	return &Reader{src: src, limit: min(limit, MaxSize), slabSize: smallSlab}
}

// Next returns the next frame, which the caller may keep and must not write to.
//
// An *[Error] says what is wrong with the stream: when its framing is lost the
// connection must be closed; else the message was passed over, is owed a reply,
// and Next can be called again. At the end of the stream Next returns io.EOF, and
// inside a frame io.ErrUnexpectedEOF. Other errors are the source's own.
func (r *Reader) Next() (Frame, error) {
	if err := r.discard(); err != nil {
		return nil, err
	}
	if err := r.fill(protoHeader); err != nil {
		return nil, err
	}
	size, err := bodySize(r.slab[r.start:])
	if err != nil {
		return nil, err
	}
	if size > r.limit {
		r.skip = protoHeader + size
		r.over = faulty(OverLimit, 2, "body of %d bytes, the limit is %d", size, r.limit)
		return nil, r.discard()
	}
	total := protoHeader + size
	if err := r.fill(total); err != nil {
		return nil, err
	}
	f := Frame(r.slab[r.start : r.start+total : r.start+total])
	r.start += total
	return f, nil
}

// bodySize returns what the proto header h announces.
func bodySize(h []byte) (int, error) {
	if h[0] != protoVersion {
		return 0, &Error{BadProtoVersion, 0, fmt.Sprintf("version %d, not %d", h[0], protoVersion)}
	}
	if h[1] != typeMessage && h[1] != typeCompressed {
		return 0, &Error{BadProtoType, 1, fmt.Sprintf("type %d, not %d or %d", h[1], typeMessage, typeCompressed)}
	}
	size := binary.BigEndian.Uint64(h) & (1<<48 - 1)
	if size > MaxSize {
		return 0, &Error{ProtoSizeTooBig, 2, fmt.Sprintf("body of %d bytes, the server's own limit is %d", size, MaxSize)}
	}
	return int(size), nil
}

// fill reads until n bytes are there.
func (r *Reader) fill(n int) error {
	for r.end-r.start < n {
		free := len(r.slab) - r.end
		if free == 0 || free < worthReading && r.start+n > len(r.slab) {
			r.grow(n)
		}
		got, err := r.src.Read(r.slab[r.end:])
		r.end += got
		if r.end == len(r.slab) {
			r.slabSize = min(2*r.slabSize, largeSlab)
		}
		if err != nil && r.end-r.start < n {
			return r.ended(err)
		}
	}
	return nil
}

// grow moves what is unread to a new slab. A frame larger than a slab gets room
// as its bytes arrive, twice as much each time, never by what it claims.
func (r *Reader) grow(n int) {
	unread := r.slab[r.start:r.end]
	size := r.slabSize
	if n > size {
		size = min(n, max(size, 2*len(unread)))
	}
	slab := make([]byte, size)
	r.start, r.end = 0, copy(slab, unread)
	r.slab = slab
}

func (r *Reader) ended(err error) error {
	if errors.Is(err, io.EOF) && (r.end > r.start || r.skip > 0) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// discard drops what is left of a message over the limit, and then returns what
// is to be said of it.
func (r *Reader) discard() error {
	for fresh := false; r.skip > 0; {
		n := min(r.skip, r.end-r.start)
		r.start += n
		r.skip -= n
		if r.skip == 0 {
			break
		}
		if !fresh { // frames may share the old slab
			r.slab, fresh = make([]byte, r.slabSize), true
		}
		got, err := r.src.Read(r.slab)
		r.start, r.end = 0, got
		if err != nil && got == 0 {
			return r.ended(err)
		}
	}
	over := r.over
	r.over = nil
	return over
}
