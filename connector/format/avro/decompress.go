package avro

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
)

// decompressor inflates the blocks of one object container file. What a block inflates to
// has at most so many bytes; else the error is errInflated.
type decompressor func(block []byte, most int) ([]byte, error)

// newDecompressor returns the inflater of a codec, nil for blocks that are not compressed,
// and false for a codec that is not known.
func newDecompressor(codec string) (decompressor, bool) {
	switch codec {
	case "", "null":
		return nil, true
	case "deflate":
		return new(deflateDecompressor).inflate, true
	case "snappy":
		return inflateSnappy, true
	case "zstandard":
		return new(zstdDecompressor).inflate, true
	}
	return nil, false
}

// errInflateLimit says that something inflates to more than it may.
var errInflateLimit = errors.New("inflates to more than the limit")

// expectedRatio is what is made room for before a block is inflated. More room is made
// as it is filled, whatever a block claims.
const expectedRatio = 8

// deflateDecompressor inflates blocks of Deflate. One reader is for all: it is large, and a file
// may have a block for every few bytes.
type deflateDecompressor struct{ reader io.ReadCloser }

func (d *deflateDecompressor) inflate(block []byte, most int) ([]byte, error) {
	if d.reader == nil {
		d.reader = flate.NewReader(nil)
	}
	if err := d.reader.(flate.Resetter).Reset(bytes.NewReader(block), nil); err != nil { //nolint:forcetypeassert // it says so
		return nil, fmt.Errorf("inflate: %w", err)
	}
	plain, err := readLimited(d.reader, block, most)
	if err != nil && !errors.Is(err, errInflateLimit) {
		err = fmt.Errorf("inflate: %w", err)
	}
	return plain, err
}

// readLimited reads what a block inflates to. With an error it returns as much of that as
// was read.
func readLimited(r io.Reader, block []byte, most int) ([]byte, error) {
	plain := make([]byte, 0, min(most, expectedRatio*len(block))+1)
	for {
		if len(plain) == cap(plain) {
			plain = append(make([]byte, 0, min(2*cap(plain), most+1)), plain...)
		}
		n, err := r.Read(plain[len(plain):cap(plain)])
		plain = plain[:len(plain)+n]
		switch {
		case len(plain) > most:
			return plain, errInflateLimit
		case errors.Is(err, io.EOF):
			return plain, nil
		case err != nil:
			return plain, err
		}
	}
}

// snappyRatio is how many times its length a block inflates to at most: a copy of 64
// bytes takes 3 (github.com/google/snappy, format_description.txt).
const snappyRatio = 22

// inflateSnappy reads a block of Snappy, behind which stands the checksum of what it
// inflates to.
func inflateSnappy(block []byte, most int) ([]byte, error) {
	if len(block) < crc32.Size {
		return nil, io.ErrUnexpectedEOF
	}
	block, sum := block[:len(block)-crc32.Size], binary.BigEndian.Uint32(block[len(block)-crc32.Size:])
	size, err := snappy.DecodedLen(block)
	switch {
	case err != nil:
		return nil, fmt.Errorf("snappy: %w", err)
	case size > snappyRatio*len(block):
		return nil, fmt.Errorf("snappy: %d bytes cannot inflate to the %d that they announce", len(block), size)
	case size > most:
		return nil, errInflateLimit
	}
	plain, err := snappy.Decode(nil, block)
	switch {
	case err != nil:
		return nil, fmt.Errorf("snappy: %w", err)
	case crc32.ChecksumIEEE(plain) != sum:
		return plain, errors.New("snappy: checksum mismatch")
	}
	return plain, nil
}

// zstdRatio is how many times its length a block of Zstandard inflates to at most: 4
// bytes say 128 KiB of the same (RFC 8878, 3.1.1.2).
const zstdRatio = 128 << 10 / 4

// zstdWindow is the largest window that a decoder has to know, in bytes (RFC 8878,
// 3.1.1.1.2). A block that does not announce its size takes memory for it.
const zstdWindow = 8 << 20

// zstdDecompressor inflates blocks of Zstandard.
type zstdDecompressor struct{ whole, stream *zstd.Decoder }

func (z *zstdDecompressor) inflate(block []byte, most int) (plain []byte, err error) {
	var head zstd.Header
	switch err = head.Decode(block); {
	case err != nil:
	case !head.HasFCS:
		plain, err = z.read(block, most)
	case head.FrameContentSize/zstdRatio > uint64(len(block)):
		err = fmt.Errorf("%d bytes cannot inflate to the %d that they announce", len(block), head.FrameContentSize)
	case head.FrameContentSize > uint64(most):
		err = errInflateLimit
	default:
		plain, err = z.decode(block, int(head.FrameContentSize))
	}
	if err != nil {
		err = fmt.Errorf("zstandard: %w", err)
	}
	return plain, err
}

// decode inflates a block that announces its size.
func (z *zstdDecompressor) decode(block []byte, size int) (_ []byte, err error) {
	if z.whole == nil {
		z.whole, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true))
	}
	if err != nil {
		return nil, err
	}
	return z.whole.DecodeAll(block, make([]byte, 0, size))
}

// read inflates a block whose size is not known.
func (z *zstdDecompressor) read(block []byte, most int) (_ []byte, err error) {
	if z.stream == nil {
		z.stream, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(zstdWindow))
	}
	if err == nil {
		err = z.stream.Reset(bytes.NewReader(block))
	}
	if err != nil {
		return nil, err
	}
	return readLimited(z.stream, block, most)
}
