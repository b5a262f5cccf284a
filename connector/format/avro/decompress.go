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

// decompressor decompresses a block of one object container file to at most limit bytes.
// If there are more, the error is errInflateLimit.
type decompressor func(block []byte, limit int) ([]byte, error)

// newDecompressor returns the decompressor of a codec, nil for blocks that are not
// compressed, and false for an unknown codec.
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

// errInflateLimit reports that a block inflates to more than the limit.
var errInflateLimit = errors.New("inflates to more than the limit")

// expectedRatio determines the size of the first buffer for a block. The buffer grows as
// it is filled, whatever size the block announces.
const expectedRatio = 8

// deflateDecompressor decompresses blocks of Deflate. It reuses one reader, which is large: a
// file may have a block for every few bytes.
type deflateDecompressor struct{ reader io.ReadCloser }

func (d *deflateDecompressor) inflate(block []byte, limit int) ([]byte, error) {
	if d.reader == nil {
		d.reader = flate.NewReader(nil)
	}
	if err := d.reader.(flate.Resetter).Reset(bytes.NewReader(block), nil); err != nil { //nolint:forcetypeassert // documented by flate.NewReader
		return nil, fmt.Errorf("inflate: %w", err)
	}
	plain, err := readLimited(d.reader, block, limit)
	if err != nil && !errors.Is(err, errInflateLimit) {
		err = fmt.Errorf("inflate: %w", err)
	}
	return plain, err
}

// readLimited reads to the end of r. With an error it also returns what was read so far.
func readLimited(r io.Reader, block []byte, limit int) ([]byte, error) {
	plain := make([]byte, 0, min(limit, expectedRatio*len(block))+1)
	for {
		if len(plain) == cap(plain) {
			plain = append(make([]byte, 0, min(2*cap(plain), limit+1)), plain...)
		}
		n, err := r.Read(plain[len(plain):cap(plain)])
		plain = plain[:len(plain)+n]
		switch {
		case len(plain) > limit:
			return plain, errInflateLimit
		case errors.Is(err, io.EOF):
			return plain, nil
		case err != nil:
			return plain, err
		}
	}
}

// snappyRatio is the maximum ratio of Snappy: a copy of 64 bytes takes 3 bytes
// (github.com/google/snappy, format_description.txt).
const snappyRatio = 22

// inflateSnappy decompresses a block of Snappy, which is followed by the checksum of the
// decompressed data.
func inflateSnappy(block []byte, limit int) ([]byte, error) {
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
	case size > limit:
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

// zstdRatio is the maximum ratio of Zstandard: 4 bytes encode 128 KiB of the same byte
// (RFC 8878, 3.1.1.2).
const zstdRatio = 128 << 10 / 4

// zstdWindow is the largest window that a decoder must support, in bytes (RFC 8878,
// 3.1.1.1.2). A block that does not announce its size takes that much memory.
const zstdWindow = 8 << 20

// zstdDecompressor decompresses blocks of Zstandard.
type zstdDecompressor struct{ whole, stream *zstd.Decoder }

func (z *zstdDecompressor) inflate(block []byte, limit int) (plain []byte, err error) {
	var head zstd.Header
	switch err = head.Decode(block); {
	case err != nil:
	case !head.HasFCS:
		plain, err = z.read(block, limit)
	case head.FrameContentSize/zstdRatio > uint64(len(block)):
		err = fmt.Errorf("%d bytes cannot inflate to the %d that they announce", len(block), head.FrameContentSize)
	case head.FrameContentSize > uint64(limit):
		err = errInflateLimit
	default:
		plain, err = z.decode(block, int(head.FrameContentSize))
	}
	if err != nil {
		err = fmt.Errorf("zstandard: %w", err)
	}
	return plain, err
}

// decode decompresses a block that announces its size.
func (z *zstdDecompressor) decode(block []byte, size int) (_ []byte, err error) {
	if z.whole == nil {
		z.whole, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true))
	}
	if err != nil {
		return nil, err
	}
	return z.whole.DecodeAll(block, make([]byte, 0, size))
}

// read decompresses a block whose size is unknown.
func (z *zstdDecompressor) read(block []byte, limit int) (_ []byte, err error) {
	if z.stream == nil {
		z.stream, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(zstdWindow))
	}
	if err == nil {
		err = z.stream.Reset(bytes.NewReader(block))
	}
	if err != nil {
		return nil, err
	}
	return readLimited(z.stream, block, limit)
}
