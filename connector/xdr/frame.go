package xdr

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Frame is a message as received: the proto header and the body.
type Frame []byte

// Compressed reports whether the body is a compressed message.
func (f Frame) Compressed() bool { return f[1] == typeCompressed }

// Size returns the length of the whole message in bytes, of which f may be only the beginning.
func (f Frame) Size() int { return protoHeader + int(sizeField(f)) }

// DefaultLimit is the default limit of a [Reader], in bytes of the body: the largest record
// that Aerospike stores.
const DefaultLimit = 8 << 20

// Sizes of the memory that a Reader reads into. It begins small, since a node holds many
// connections and uses few of them, and grows if the stream fills it.
const (
	smallSlab = 4 << 10
	largeSlab = 64 << 10

	// minRead is the least free space at the end of a slab that is still read into if the
	// frame has to move to a new slab anyway.
	minRead = 512
)

// Reader splits a stream into frames. After an error of the source, such as a timeout, the
// next call continues where the stream was, even inside a frame.
type Reader struct {
	src   io.Reader
	limit int

	// slab[start:end] is read but not returned yet. Frames are parts of slabs. A slab is
	// never overwritten, so a frame is valid as long as it is referenced.
	slab       []byte
	start, end int
	slabSize   int

	skip    int   // bytes left to discard of a message over the limit
	over    error // the error to return after that
	skipped Frame // the beginning of that message
}

// headSize is how much is kept of a message over the limit: its beginning, which has the
// namespace, the set and the digest.
const headSize = 4 << 10

// NewReader returns a Reader of frames whose body has at most limit bytes. A limit of 0
// means DefaultLimit; the largest limit is MaxSize.
func NewReader(src io.Reader, limit int) *Reader {
	if limit <= 0 {
		limit = DefaultLimit
	}
	return &Reader{src: src, limit: min(limit, MaxSize), slabSize: smallSlab}
}

// Next returns the next frame. The caller may keep it, but must not write to it.
//
// An *[Error] is about the stream: if its framing is lost, close the connection; else the
// message was skipped, it needs a reply, and Next can be called again. At the end of the
// stream the error is io.EOF, and inside a frame io.ErrUnexpectedEOF. Other errors are from
// the source.
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
	total := protoHeader + size
	if size > r.limit {
		head := min(total, headSize)
		if err := r.fill(head); err != nil {
			return nil, err
		}
		r.skipped = r.unread(head)
		r.skip, r.over = total, errorAt(OverLimit, 2, "body of %d bytes, the limit is %d", size, r.limit)
		return nil, r.discard()
	}
	if err := r.fill(total); err != nil {
		return nil, err
	}
	f := r.unread(total)
	r.start += total
	return f, nil
}

// Skipped returns the beginning of the message that Next skipped last because it is over the
// limit, for [Decoder.Identify]. The caller may keep it, but must not write to it.
func (r *Reader) Skipped() Frame { return r.skipped }

// unread returns the next n bytes, which must have been read.
func (r *Reader) unread(n int) Frame { return Frame(r.slab[r.start : r.start+n : r.start+n]) }

// bodySize returns the length of the body in the proto header h.
func bodySize(h []byte) (int, error) {
	if h[0] != protoVersion {
		return 0, notXDR(BadProtoVersion, h, 0, fmt.Sprintf("version %d, want %d", h[0], protoVersion))
	}
	if h[1] != typeMessage && h[1] != typeCompressed {
		return 0, notXDR(BadProtoType, h, 1, fmt.Sprintf("type %d, want %d or %d", h[1], typeMessage, typeCompressed))
	}
	size := sizeField(h)
	if size > MaxSize {
		return 0, &Error{ProtoSizeTooBig, 2, fmt.Sprintf("body of %d bytes, the limit of the server is %d", size, MaxSize)}
	}
	return int(size), nil
}

// sizeField returns the length of the body that the proto header h claims.
func sizeField(h []byte) uint64 { return binary.BigEndian.Uint64(h) & (1<<48 - 1) }

// notXDR returns the error for a proto header that is none of XDR's. It says what the stream
// is if that is known.
func notXDR(kind ErrorKind, h []byte, offset int, detail string) error {
	if other := Guess(h); other != "" {
		detail = other + ", not XDR"
	}
	return &Error{kind, offset, detail}
}

// fill reads until there are n bytes.
func (r *Reader) fill(n int) error {
	for r.end-r.start < n {
		free := len(r.slab) - r.end
		if free == 0 || free < minRead && r.start+n > len(r.slab) {
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

// grow moves unread bytes to a new slab. For a frame larger than a slab, memory doubles as
// its bytes arrive, whatever length it claims.
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

// discard reads and drops the rest of a message over the limit, then returns the error about
// it.
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
