package archive

import (
	"runtime"
	"slices"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/row"
)

// encoding is how the content of an object is written: as lines of JSON, or as rows.
type encoding struct {
	format, compression string
	suffix, mediaType   string

	compress func(dst, lines []byte) []byte // nil leaves lines as they are
	rows     func(rows []row.Row) ([]byte, error)
}

// parseEncoding returns the encodings that the URL asks for. Dead letters are always
// lines, with the same compression if lines can have it.
func parseEncoding(q *sink.Query) (changes, letters *encoding) {
	switch format := q.Word("format", "ndjson", "ndjson", "avro", "parquet"); format {
	case "avro":
		codec := q.Word("compression", "snappy", "none", "deflate", "snappy", "zstd")
		avroCodec := map[string]string{"none": "null", "deflate": "deflate", "snappy": "snappy", "zstd": "zstandard"}[codec]
		return &encoding{format: format, compression: codec, suffix: ".avro", mediaType: "application/avro",
			rows: func(rows []row.Row) ([]byte, error) { return row.AvroFile(rows, avroCodec) }}, lines(codec)
	case "parquet":
		codec := q.Word("compression", "zstd", "none", "snappy", "gzip", "zstd")
		return &encoding{format: format, compression: codec, suffix: ".parquet", mediaType: "application/vnd.apache.parquet",
			rows: func(rows []row.Row) ([]byte, error) { return row.ParquetFile(rows, codec) }}, lines(codec)
	default:
		e := lines(q.Word("compression", "none", "none", "gzip", "zstd"))
		return e, e
	}
}

// lines returns the encoding as lines of JSON.
func lines(compression string) *encoding {
	switch compression {
	case "gzip":
		return &encoding{format: "ndjson", compression: compression, suffix: ".ndjson.gz", mediaType: "application/gzip", compress: appendGzip}
	case "zstd":
		return &encoding{format: "ndjson", compression: compression, suffix: ".ndjson.zst", mediaType: "application/zstd", compress: appendZstd}
	}
	return &encoding{format: "ndjson", compression: "none", suffix: ".ndjson", mediaType: "application/x-ndjson"}
}

// join returns the content of an object that consists of the parts, which are in order.
// The slices share the parts' memory.
//
// Parts that are compressed already stay as they are, since a gzip file may have several
// members and a zstd file several frames. The others are small and would hardly compress
// alone, so they are compressed together and go first.
func (e *encoding) join(parts []*part) ([][]byte, error) {
	if e.rows != nil {
		var rows []row.Row
		for _, p := range parts {
			rows = append(rows, p.rows...)
		}
		content, err := e.rows(rows)
		return [][]byte{content}, err
	}
	var plain, packed [][]byte
	for _, p := range parts {
		if p.compressed != nil {
			packed = append(packed, p.compressed)
		} else {
			plain = append(plain, p.lines)
		}
	}
	if e.compress == nil || len(plain) == 0 {
		return append(plain, packed...), nil
	}
	return append([][]byte{e.compress(nil, slices.Concat(plain...))}, packed...), nil
}

var gzipWriters = sync.Pool{New: func() any {
	w, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	if err != nil {
		panic("archive: " + err.Error())
	}
	return w
}}

// appending is an io.Writer that appends to a slice.
type appending struct{ to []byte }

func (a *appending) Write(b []byte) (int, error) {
	a.to = append(a.to, b...)
	return len(b), nil
}

// appendGzip appends lines as a member of a gzip file.
func appendGzip(dst, lines []byte) []byte {
	w, ok := gzipWriters.Get().(*gzip.Writer)
	if !ok {
		panic("archive: the pool holds something other than gzip writers")
	}
	out := &appending{dst}
	defer func() {
		out.to = nil // w refers to out until its next use, and must not keep the lines
		gzipWriters.Put(w)
	}()
	w.Reset(out)
	_, err := w.Write(lines)
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic("archive: compression into memory failed: " + err.Error())
	}
	return out.to
}

// zstdEncoder returns the encoder, which is created on first use. Its window is small
// because parts are.
var zstdEncoder = sync.OnceValue(func() *zstd.Encoder {
	const window = 1 << 20
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(runtime.GOMAXPROCS(0)), zstd.WithWindowSize(window), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic("archive: " + err.Error())
	}
	return e
})

// appendZstd appends lines as a frame of a zstd file.
func appendZstd(dst, lines []byte) []byte { return zstdEncoder().EncodeAll(lines, dst) }
