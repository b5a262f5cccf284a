package xdr

import (
	"bytes"
	"crypto/rand"
	"runtime"
	"testing"
	"weak"
)

// A pooled inflater does not keep the stream that it has read.
func TestInflate_keepsNoStream(t *testing.T) {
	good := compressedStream(t)
	for name, stream := range map[string][]byte{"whole": good, "cut off": good[:len(good)-1], "no header": bytes.Repeat([]byte("x"), 100)} {
		z := new(inflater)
		read := func() weak.Pointer[byte] {
			read := bytes.Clone(stream)
			if err := z.open(read); (err == nil) != (name != "no header") {
				t.Errorf("%s: %v", name, err)
			}
			z.free()
			return weak.Make(&read[0])
		}
		for range 2 { // a new inflater, and one that is used again
			kept := read()
			runtime.GC()
			if kept.Value() != nil {
				t.Errorf("%s: the stream is still referenced", name)
			}
		}
		runtime.KeepAlive(z)
	}
}

// compressedStream returns a zlib stream of some bytes.
func compressedStream(t *testing.T) []byte {
	t.Helper()
	frame, err := AppendCompressed(nil, []byte(rand.Text()))
	if err != nil {
		t.Fatal(err)
	}
	return frame[protoHeader+claimBytes:]
}
