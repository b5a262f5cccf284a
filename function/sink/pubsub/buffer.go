package pubsub

import (
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

// Of the memory that is given back, as much as a large Put or request needs is kept
// for the next.
const (
	smallestBuffer = 64 << 10 // bytes; far more than gRPC takes for too little to return
	largestBuffer  = 4 << 20
)

var buffers = sync.Pool{New: func() any { return &buffer{bytes: make([]byte, 0, smallestBuffer)} }}

// newBuffer returns an empty one, with room for size bytes, that its caller holds.
func newBuffer(size int) *buffer {
	b, _ := buffers.Get().(*buffer)
	if cap(b.bytes) < size {
		b.bytes = make([]byte, 0, size)
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
		buffers.Put(b)
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
