package row

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"runtime"
	"strconv"
	"sync"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"
	"github.com/twmb/avro/ocf"
)

// blockBytes is the size of a block of an Avro file before compression, in bytes. A block
// ends with the row that reaches it.
const blockBytes = 256 << 10

// compression compresses a block. It may be used by several goroutines at once.
type compression func(block []byte) ([]byte, error)

// avroCodecs are the codecs of Avro files, by their names in the file.
var avroCodecs = map[string]func() compression{
	"null":    func() compression { return func(block []byte) ([]byte, error) { return block, nil } },
	"deflate": func() compression { return deflate },
	"snappy":  func() compression { return ocf.SnappyCodec().Compress },
	"zstandard": sync.OnceValue(func() compression {
		return ocf.MustZstdCodec([]zstd.EOption{zstd.WithEncoderConcurrency(runtime.GOMAXPROCS(0))}, nil).Compress
	}),
}

var deflaters sync.Pool

func deflate(block []byte) ([]byte, error) {
	var out bytes.Buffer
	w, ok := deflaters.Get().(*flate.Writer)
	if !ok {
		var err error
		if w, err = flate.NewWriter(nil, flate.DefaultCompression); err != nil {
			return nil, err
		}
	}
	defer deflaters.Put(w)
	w.Reset(&out)
	_, err := w.Write(block)
	err = errors.Join(err, w.Close())
	return out.Bytes(), err
}

// AvroFile returns an object container file of the rows. The codec is null, deflate,
// snappy or zstandard. The same rows give the same bytes.
func AvroFile(rows []Row, codec string) ([]byte, error) {
	open, ok := avroCodecs[codec]
	if !ok {
		return nil, fmt.Errorf("write an Avro file: unknown codec %q; known are null, deflate, snappy and zstandard", codec)
	}
	w := avroFile{compress: open(), sum: sha256.New()}
	w.header(codec)
	var block []byte
	count := 0
	for i := range rows {
		block = AppendAvro(block, &rows[i])
		if count++; len(block) >= blockBytes || i == len(rows)-1 {
			if err := w.block(block, count); err != nil {
				return nil, fmt.Errorf("write an Avro file: compress with %s: %w", codec, err)
			}
			block, count = block[:0], 0
		}
	}
	return w.sealed(), nil
}

// avroFile is an object container file that is being written
// (https://avro.apache.org/docs/1.12.0/specification/#object-container-files).
type avroFile struct {
	compress compression
	text     []byte
	sum      hash.Hash // of the rows
	marks    []int     // where in text a sync marker goes
}

// syncBytes is the length of a sync marker.
const syncBytes = 16

func (w *avroFile) header(codec string) {
	metadata := []string{"avro.schema", Schema, "avro.codec", codec, versionKey, strconv.Itoa(Version)}
	w.text = binary.AppendVarint(append(w.text, "Obj\x01"...), int64(len(metadata)/2))
	for _, text := range metadata {
		w.text = appendText(w.text, text)
	}
	w.text = append(w.text, 0)
	w.sync()
}

// block appends a block of count rows.
func (w *avroFile) block(rows []byte, count int) error {
	_, _ = w.sum.Write(rows) // never fails
	rows, err := w.compress(rows)
	if err != nil {
		return err
	}
	w.text = binary.AppendVarint(w.text, int64(count))
	w.text = append(binary.AppendVarint(w.text, int64(len(rows))), rows...)
	w.sync()
	return nil
}

// sync appends space for a sync marker.
func (w *avroFile) sync() {
	w.marks = append(w.marks, len(w.text))
	w.text = append(w.text, make([]byte, syncBytes)...)
}

// sealed returns the file. Its sync marker is a hash of the rows, so that the same rows give
// the same file.
func (w *avroFile) sealed() []byte {
	sum := w.sum.Sum(nil)
	for _, at := range w.marks {
		copy(w.text[at:], sum[:syncBytes])
	}
	return w.text
}
