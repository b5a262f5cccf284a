package pubsub

import (
	"math/bits"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/mem"
)

// buffer is a reference-counted, pooled byte slice. The last holder's release returns it
// to its pool.
type buffer struct {
	bytes   []byte
	holders atomic.Int32
}

// Buffers come in size classes, each at most a quarter larger than the one before, so
// that a Put holds little more than it needs. Larger ones than largestBuffer are not
// pooled.
const (
	smallestBuffer = 4 << 10 // bytes; above the size under which gRPC does not return buffers to a pool
	largestBuffer  = 4 << 20
)

var buffers [4 * 64]sync.Pool // of *buffer, by size class

// sizeClass returns the number of the largest class whose size is at most bytes. There are
// four classes to each power of two. It panics if bytes is less than 4.
func sizeClass(bytes int) int {
	power := bits.Len(uint(bytes)) - 1
	return 4*power + bytes>>(power-2)&3
}

// newBuffer returns an empty buffer with a capacity of at least size bytes. The caller
// holds it.
func newBuffer(size int) *buffer {
	size = max(size, smallestBuffer)
	step := 1 << (bits.Len(uint(size-1)) - 3)
	size = (size + step - 1) / step * step
	b, ok := buffers[sizeClass(size)].Get().(*buffer)
	if !ok {
		b = &buffer{bytes: make([]byte, 0, size)}
	}
	b.holders.Store(1)
	return b
}

func (b *buffer) hold(times int) { b.holders.Add(int32(times)) }

func (b *buffer) release() {
	switch left := b.holders.Add(-1); {
	case left < 0:
		panic("pubsub: a buffer was released twice")
	case left == 0 && cap(b.bytes) <= largestBuffer:
		b.bytes = b.bytes[:0]
		buffers[sizeClass(cap(b.bytes))].Put(b)
	}
}

// share returns part of the buffer for gRPC, which holds the buffer until it has sent
// the part. That may be after the call has returned.
func (b *buffer) share(part *[]byte) mem.Buffer {
	if mem.IsBelowBufferPoolingThreshold(cap(*part)) {
		return mem.SliceBuffer(append([]byte(nil), *part...))
	}
	b.hold(1)
	return mem.NewBuffer(part, sharedPart{b})
}

// sharedPart is the pool that gRPC returns a shared part to, which releases the buffer.
type sharedPart struct{ b *buffer }

// Get implements mem.BufferPool. gRPC only returns the part.
func (sharedPart) Get(int) *[]byte { panic("pubsub: Get of the pool of a shared part") }

// Put implements mem.BufferPool.
func (s sharedPart) Put(*[]byte) { s.b.release() }
