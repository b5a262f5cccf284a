package deliver

import (
	"bytes"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// deflaters keeps writers, each of which holds hundreds of kilobytes. They
// compress as fast as can be: what arrives is repetitive text mostly, and a slow
// request costs more than a few bytes.
var deflaters = sync.Pool{New: func() any {
	w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is a good one
	return w
}}

// compress returns body compressed, in the memory of dst where there is enough,
// or false when it would not be shorter.
func compress(dst, body []byte) ([]byte, bool) {
	w := deflaters.Get().(*gzip.Writer) //nolint:forcetypeassert // nothing else is put there
	defer deflaters.Put(w)
	packed := bytes.NewBuffer(dst[:0])
	w.Reset(packed)
	if _, err := w.Write(body); err != nil {
		return nil, false
	}
	if err := w.Close(); err != nil || packed.Len() >= len(body) {
		return nil, false
	}
	return packed.Bytes(), true
}
