package function

import (
	"errors"
	"io"
	"math/bits"
	"sync"
	"sync/atomic"
)

// errNoRoom says that the bodies of all requests together would be too much.
var errNoRoom = errors.New("no room")

// gauge counts the bytes of memory that all requests hold.
type gauge struct {
	limit int64
	held  atomic.Int64
}

// claim counts n more bytes for a request that holds own already. It refuses, and
// counts nothing, what is beyond the limit; but who is alone always has room.
func (g *gauge) claim(n, own int64) error {
	if held := g.held.Add(n); held > g.limit && held > own+n {
		g.held.Add(-n)
		return errNoRoom
	}
	return nil
}

// Memory comes in powers of two, from smallestBuffer on. What is given back is kept
// for the next request, up to largestKept, which few exceed. What is kept was counted
// before, so that it cannot be more than the gauge's limit.
const (
	smallestBuffer = 4 << 10
	largestKept    = 4 << 20
)

// class is the logarithm of the size of memory that has room for n bytes.
func class(n int64) int { return bits.Len64(uint64(max(n, smallestBuffer) - 1)) }

var memory [64]sync.Pool // of *[]byte, by the logarithm of their size

// take returns memory of a class.
func take(class int) *[]byte {
	if b, ok := memory[class].Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, 0, 1<<class)
	return &b
}

func give(b *[]byte) {
	if cap(*b) > largestKept {
		return
	}
	*b = (*b)[:0]
	memory[class(int64(cap(*b)))].Put(b)
}

// buffer grows with the bytes that are there, never with those that are promised.
// The zero buffer is not usable: it needs a gauge.
type buffer struct {
	gauge  *gauge
	most   int64   // bytes that are to be expected; room for more is not made
	memory *[]byte // nil as long as there are none
}

// bytes returns what was read. It is the buffer's until free is called.
func (b *buffer) bytes() []byte {
	if b.memory == nil {
		return nil
	}
	return *b.memory
}

func (b *buffer) size() int64 {
	if b.memory == nil {
		return 0
	}
	return int64(cap(*b.memory))
}

// free gives the memory back. It may be called twice.
func (b *buffer) free() {
	if b.memory == nil {
		return
	}
	b.gauge.held.Add(-b.size())
	give(b.memory)
	b.memory = nil
}

// readAll reads r to its end, for a request that holds beside more bytes already.
func (b *buffer) readAll(r io.Reader, beside int64) error {
	var next [1]byte
	for {
		if free := b.bytes(); len(free) < cap(free) {
			n, err := r.Read(free[len(free):cap(free)])
			*b.memory = free[:len(free)+n]
			if err != nil {
				return ignoreEOF(err)
			}
			continue
		}
		// Whether there is more shows before there is more room.
		n, err := r.Read(next[:])
		if n > 0 {
			if err := b.grow(beside); err != nil {
				return err
			}
			*b.memory = append(*b.memory, next[0])
		}
		if err != nil {
			return ignoreEOF(err)
		}
	}
}

// grow makes the buffer twice as large, a large one four times: then all that it has
// outgrown is together less than itself.
func (b *buffer) grow(beside int64) error {
	old := b.size()
	next := class(2 * old)
	if old >= largestKept {
		next++
	}
	if most := class(b.most); 1<<most > old {
		next = min(next, most)
	}
	if err := b.gauge.claim(1<<next-old, beside+old); err != nil {
		return err
	}
	larger := take(next)
	*larger = append(*larger, b.bytes()...)
	if b.memory != nil {
		give(b.memory)
	}
	b.memory = larger
	return nil
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
