package pubsub

import (
	"math/bits"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/mem"
)

// buffer is memory that several hold. The last who lets go gives it back to be
// used again.
type buffer struct {
	bytes []byte
	held  atomic.Int32
}

// Memory comes in sizes of which each is at most a quarter larger than the one before,
// so that a Put holds little more than it needs. What is given back is kept for the
// next, up to what a large Put needs.
const (
	smallestBuffer = 4 << 10 // bytes; more than gRPC takes for too little to return
	largestBuffer  = 4 << 20
)

var buffers [4 * 64]sync.Pool // of *buffer, by the class of their size

// classOf returns the number of the largest size that is no more than bytes, which are
// 4 at least: there are four to each power of two.
func classOf(bytes int) int {
	power := bits.Len(uint(bytes)) - 1
	return 4*power + bytes>>(power-2)&3
}

// newBuffer returns an empty one, with room for size bytes, that its caller holds.
func newBuffer(size int) *buffer {
	size = max(size, smallestBuffer)
	step := 1 << (bits.Len(uint(size-1)) - 3)
	size = (size + step - 1) / step * step
	b, ok := buffers[classOf(size)].Get().(*buffer)
	if !ok {
		b = &buffer{bytes: make([]byte, 0, size)}
	}
	b.held.Store(1)
	return b
}

func (b *buffer) hold(times int) { b.held.Add(int32(times)) }

func (b *buffer) release() {
	switch left := b.held.Add(-1); {
	case left < 0:
		panic("pubsub: a buffer was released twice")
	case left == 0 && cap(b.bytes) <= largestBuffer:
		b.bytes = b.bytes[:0]
		buffers[classOf(cap(b.bytes))].Put(b)
	}
}

// lend returns part of the buffer to gRPC, which holds the buffer until it has sent
// the part, and that may be later than the call returns.
func (b *buffer) lend(part *[]byte) mem.Buffer {
	if mem.IsBelowBufferPoolingThreshold(cap(*part)) {
		return mem.SliceBuffer(append([]byte(nil), *part...))
	}
	b.hold(1)
	return mem.NewBuffer(part, lent{b})
}

// lent is the pool that a lent part is given back to.
type lent struct{ b *buffer }

// Get implements mem.BufferPool. gRPC only gives back.
func (lent) Get(int) *[]byte { panic("pubsub: a lent part is no pool") }

// Put implements mem.BufferPool.
func (l lent) Put(*[]byte) { l.b.release() }
