package post

import (
	"bytes"
	"runtime"
	"testing"
	"weak"
)

// A pooled writer does not keep the memory that it has written to.
func TestCompress_keepsNoMemory(t *testing.T) {
	compressOnce := func() weak.Pointer[byte] {
		dst := make([]byte, 0, 4096)
		if out, ok := compress(dst, bytes.Repeat([]byte("x"), 10_000)); !ok || &out[0] != &dst[:1][0] {
			t.Errorf("%d bytes, %t, want them in the memory given", len(out), ok)
		}
		return weak.Make(&dst[:1][0])
	}
	dst := compressOnce()
	runtime.GC() // a pool keeps what is in it for one collection
	if dst.Value() != nil {
		t.Error("the memory is still referenced")
	}
}
