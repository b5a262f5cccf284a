package pubsub

import (
	"testing"
)

// A buffer has the requested capacity and little more, even one that was used before.
func TestNewBuffer_sizes(t *testing.T) {
	for size := 1; size < 2*largestBuffer; size += size/7 + 1 {
		for use := range 3 {
			b := newBuffer(size)
			if got, most := cap(b.bytes), max(size+size/2, smallestBuffer*5/4); got < size || got > most {
				t.Fatalf("use %d: a buffer of %d bytes for %d, want at most %d", use, got, size, most)
			}
			if len(b.bytes) > 0 {
				t.Fatalf("use %d: a buffer for %d bytes is not empty", use, size)
			}
			b.bytes = append(b.bytes, make([]byte, size*(1+use)/2)...) // the third time it grows
			b.release()
		}
	}
}
