package format

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

// avroCodecs inflate the blocks of object container files, by the name of their
// codec. What a block inflates to has at most so many bytes; else the error is
// errInflated.
var avroCodecs = map[string]func(block []byte, most int) ([]byte, error){
	"":          nil,
	"null":      nil,
	"deflate":   inflateDeflate,
	"snappy":    inflateSnappy,
	"zstandard": inflateZstandard,
}

// errInflated says that something inflates to more than it may.
var errInflated = errors.New("it inflates to too much")

// likelyRatio is what is made room for before a block is inflated. More room is made
// as it is filled, whatever a block claims.
const likelyRatio = 8

func inflateDeflate(block []byte, most int) ([]byte, error) {
	r := flate.NewReader(bytes.NewReader(block))
	plain := make([]byte, 0, min(most, likelyRatio*len(block))+1)
	for {
		if len(plain) == cap(plain) {
			plain = append(make([]byte, 0, min(2*cap(plain), most+1)), plain...)
		}
		n, err := r.Read(plain[len(plain):cap(plain)])
		plain = plain[:len(plain)+n]
		switch {
		case len(plain) > most:
			return plain, errInflated
		case errors.Is(err, io.EOF):
			return plain, nil
		case err != nil:
			return plain, fmt.Errorf("inflate: %w", err)
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
		return nil, errInflated
	}
	plain, err := snappy.Decode(nil, block)
	switch {
	case err != nil:
		return nil, fmt.Errorf("snappy: %w", err)
	case crc32.ChecksumIEEE(plain) != sum:
		return plain, errors.New("snappy: the checksum is another")
	}
	return plain, nil
}

// zstdRatio is how many times its length a block of Zstandard inflates to at most: 4
// bytes say 128 KiB of the same (RFC 8878, 3.1.1.2).
const zstdRatio = 128 << 10 / 4

// zstdWindow is the window that every decoder has to know, in bytes (RFC 8878,
// 3.1.1.1.2).
const zstdWindow = 8 << 20

func inflateZstandard(block []byte, most int) ([]byte, error) {
	room, err := zstdRoom(block, most)
	if err != nil {
		return nil, err
	}
	r, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderMaxMemory(uint64(max(most, zstdWindow))))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	for {
		plain, err := r.DecodeAll(block, make([]byte, 0, room))
		tooMuch := errors.Is(err, zstd.ErrDecoderSizeExceeded)
		switch {
		case err == nil:
			return plain, nil
		case tooMuch && room < most:
			room = min(2*room, most)
		case tooMuch, errors.Is(err, zstd.ErrWindowSizeExceeded):
			return nil, errInflated
		default:
			return nil, fmt.Errorf("zstandard: %w", err)
		}
	}
}

// zstdRoom returns for how many bytes to make room at first: as many as the block
// announces, if it can hold them.
func zstdRoom(block []byte, most int) (int, error) {
	var head zstd.Header
	if err := head.Decode(block); err != nil {
		return 0, fmt.Errorf("zstandard: %w", err)
	}
	announced := head.FrameContentSize
	switch {
	case !head.HasFCS:
		return min(most, likelyRatio*len(block)), nil
	case announced/zstdRatio > uint64(len(block)):
		return 0, fmt.Errorf("zstandard: %d bytes cannot inflate to the %d that they announce", len(block), announced)
	case announced > uint64(most):
		return 0, errInflated
	}
	return int(announced), nil
}
