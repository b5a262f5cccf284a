package replay

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/aerosink/aerosink/connector/change"
)

// The kinds of objects that hold changes, as their names end.
const (
	kindLines   = ".ndjson"
	kindAvro    = ".avro"
	kindParquet = ".parquet"
)

// kindOf returns the kind of an object, "" of one that is none of an archive's.
func kindOf(name string) string {
	for _, compression := range []string{".gz", ".zst"} {
		name = strings.TrimSuffix(name, compression)
	}
	switch kind := path.Ext(name); kind {
	case kindLines, kindAvro, kindParquet:
		return kind
	}
	return ""
}

// What compressed lines begin with.
var (
	gzipMagic = []byte{0x1f, 0x8b}
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}
)

// maxWindow bounds the memory in which zstd looks back, in bytes.
const maxWindow = 128 << 20

// inflated returns the lines of a file, whatever they are compressed with. Errors of
// the reader that are about its content are permanent.
func inflated(file *os.File, name string) (io.Reader, func(), error) {
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
		return inflater{r}, func() {}, nil
	case bytes.Equal(head, zstdMagic):
		r, err := zstd.NewReader(buffered, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, nil, damaged(err)
		}
		return inflater{r}, r.Close, nil
	case path.Ext(name) != kindLines:
		return nil, nil, damaged(fmt.Errorf("its name ends in %s, but it is not compressed so", path.Ext(name)))
	}
	return buffered, func() {}, nil
}

// inflater marks the errors of what it reads from, which is about a file whose
// content is there: only the content can be wrong.
type inflater struct{ io.Reader }

// Read implements io.Reader.
func (i inflater) Read(b []byte) (int, error) {
	n, err := i.Reader.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		err = damaged(err)
	}
	return n, err
}

func damaged(err error) error { return change.Permanent(err) }
