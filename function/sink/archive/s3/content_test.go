package s3

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

// However an object is split into parts, it reads and seeks like its bytes.
func TestContent(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		parts := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 10), 0, 5).Draw(r, "parts")
		all := bytes.Join(parts, nil)
		if err := iotest.TestReader(newContent(parts), all); err != nil {
			r.Fatal(err)
		}
		got, want := newContent(parts), bytes.NewReader(all)
		for range rapid.IntRange(1, 8).Draw(r, "steps") {
			whence := rapid.SampledFrom([]int{io.SeekStart, io.SeekCurrent, io.SeekEnd}).Draw(r, "whence")
			offset := rapid.Int64Range(-20, 20).Draw(r, "offset")
			at, err := got.Seek(offset, whence)
			if err != nil {
				continue // bytes.Reader seeks beyond its end
			}
			if wantAt, err := want.Seek(offset, whence); err != nil || at != wantAt {
				r.Fatalf("Seek(%d, %d) = %d, want %d, %v", offset, whence, at, wantAt, err)
			}
			n := rapid.IntRange(0, 10).Draw(r, "read")
			a, b := make([]byte, n), make([]byte, n)
			read, errRead := io.ReadFull(got, a)
			wantRead, errWant := io.ReadFull(want, b)
			if read != wantRead || !errors.Is(errRead, errWant) || !bytes.Equal(a, b) {
				r.Fatalf("read %d, %v; want %d, %v", read, errRead, wantRead, errWant)
			}
		}
	})
}
