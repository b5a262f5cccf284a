package archive

import (
	"bytes"
	"runtime"
	"testing"
	"weak"
)

// A pooled writer does not keep the lines that it has written.
func TestAppendGzip_keepsNoLines(t *testing.T) {
	appendOnce := func() weak.Pointer[byte] {
		lines := appendGzip(nil, bytes.Repeat([]byte("x"), 100_000))
		if len(lines) == 0 {
			t.Fatal("nothing was appended")
		}
		return weak.Make(&lines[0])
	}
	lines := appendOnce()
	runtime.GC() // a pool keeps what is in it for one collection
	if lines.Value() != nil {
		t.Error("the lines are still referenced")
	}
}
