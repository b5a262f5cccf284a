package objects

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/aerosink/aerosink/connector/change"
)

// The bytes that compressed files begin with.
var (
	gzipMagic = []byte{0x1f, 0x8b}
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}
)

// maxWindow bounds the memory of zstd, in bytes.
const maxWindow = 128 << 20

// decompress returns a reader of the decompressed content of file. It detects the compression
// from the content, not from the name. The caller calls release at the end. Errors of the
// reader are permanent if the content is damaged.
func decompress(file *os.File, name string) (_ io.Reader, release func(), _ error) {
	buffered := bufio.NewReaderSize(file, 1<<16)
	head, err := buffered.Peek(len(zstdMagic))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, err
	}
	switch {
	case bytes.HasPrefix(head, gzipMagic):
		r, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, nil, damaged(err)
		}
		return decompressor{r}, func() {}, nil
	case bytes.Equal(head, zstdMagic):
		r, err := zstd.NewReader(buffered, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, nil, damaged(err)
		}
		return decompressor{r}, r.Close, nil
	case path.Ext(name) != kindLines:
		return nil, nil, damaged(fmt.Errorf("the name ends in %s, but the content is not compressed like that", path.Ext(name)))
	}
	return buffered, func() {}, nil
}

// decompressor makes errors permanent: the file is on a local disk, so only its content
// can be wrong.
type decompressor struct{ io.Reader }

// Read implements io.Reader.
func (d decompressor) Read(b []byte) (int, error) {
	n, err := d.Reader.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		err = damaged(err)
	}
	return n, err
}

func damaged(err error) error { return change.Permanent(err) }
