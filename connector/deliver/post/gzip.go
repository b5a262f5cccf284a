package post

import (
	"bytes"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// gzipWriters is a pool, because a writer holds hundreds of kilobytes. They compress at
// the fastest level: bodies are mostly repetitive text, and time costs more than a few
// bytes.
var gzipWriters = sync.Pool{New: func() any {
	w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is valid
	return w
}}

// compress returns the compressed body, in the memory of dst if it suffices. It returns
// false if compression makes the body no shorter.
func compress(dst, body []byte) ([]byte, bool) {
	w := gzipWriters.Get().(*gzip.Writer) //nolint:forcetypeassert // nothing else is put there
	compressed := bytes.NewBuffer(dst[:0])
	defer func() {
		*compressed = bytes.Buffer{} // w refers to it until its next use, and must not keep dst
		gzipWriters.Put(w)
	}()
	w.Reset(compressed)
	if _, err := w.Write(body); err != nil {
		return nil, false
	}
	if err := w.Close(); err != nil || compressed.Len() >= len(body) {
		return nil, false
	}
	return compressed.Bytes(), true
}
