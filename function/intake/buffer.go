package intake

import (
	"errors"
	"fmt"
	"io"
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/aerosink/aerosink/connector/plural"
)

// memoryError means that the bodies of all requests together would be too large.
type memoryError struct{ held, needed, limit int64 } // bytes

func (e *memoryError) Error() string {
	return fmt.Sprintf("the requests in flight hold %s and this one needs %d more, beyond %s, the limit of %s", plural.Of(int(e.held), "byte"), e.needed, plural.Of(int(e.limit), "byte"), MaxInFlight)
}

// memoryCounter counts the bytes of memory that all requests hold.
type memoryCounter struct {
	limit int64
	held  atomic.Int64
}

// claim adds n bytes for a request that already holds own. It fails with a memoryError, and
// adds nothing, if that exceeds the limit. The only request in flight always gets its memory.
func (c *memoryCounter) claim(n, own int64) error {
	if held := c.held.Add(n); held > c.limit && held > own+n {
		c.held.Add(-n)
		return &memoryError{held - n, n, c.limit}
	}
	return nil
}

// Sizes of memory are powers of two, from minBuffer on. Memory is pooled up to maxPooled,
// which few bodies exceed. Pooled memory was counted before, so it cannot exceed the limit.
const (
	minBuffer = 4 << 10
	maxPooled = 4 << 20
)

// sizeClass returns the binary logarithm of the size of memory that holds n bytes.
func sizeClass(n int64) int { return bits.Len64(uint64(max(n, minBuffer) - 1)) }

var pools [64]sync.Pool // of *[]byte, by size class

// newMemory returns memory of a size class.
func newMemory(class int) *[]byte {
	if b, ok := pools[class].Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, 0, 1<<class)
	return &b
}

func freeMemory(b *[]byte) {
	if cap(*b) > maxPooled {
		return
	}
	*b = (*b)[:0]
	pools[sizeClass(int64(cap(*b)))].Put(b)
}

// Buffer holds a body. It grows as bytes arrive, whatever length was announced. Get one from
// [Reader.Buffer].
type Buffer struct {
	counter *memoryCounter
	max     int64   // bytes to expect; it does not grow for more
	memory  *[]byte // nil while empty
}

// Bytes returns what was read. It is valid until Free.
func (b *Buffer) Bytes() []byte {
	if b.memory == nil {
		return nil
	}
	return *b.memory
}

func (b *Buffer) size() int64 {
	if b.memory == nil {
		return 0
	}
	return int64(cap(*b.memory))
}

// Free releases the memory. It may be called twice.
func (b *Buffer) Free() {
	if b.memory == nil {
		return
	}
	b.counter.held.Add(-b.size())
	freeMemory(b.memory)
	b.memory = nil
}

// readAll reads r to its end, for a request that already holds other bytes.
func (b *Buffer) readAll(r io.Reader, other int64) error {
	var next [1]byte
	for {
		if free := b.Bytes(); len(free) < cap(free) {
			n, err := r.Read(free[len(free):cap(free)])
			*b.memory = free[:len(free)+n]
			if err != nil {
				return ignoreEOF(err)
			}
			continue
		}
		// Find out whether there is more before growing.
		n, err := r.Read(next[:])
		if n > 0 {
			if err := b.grow(other); err != nil {
				return err
			}
			*b.memory = append(*b.memory, next[0])
		}
		if err != nil {
			return ignoreEOF(err)
		}
	}
}

// grow makes the buffer twice as large, or four times if it is large already. All the memory
// that it had before is then less than what it has.
func (b *Buffer) grow(other int64) error {
	old := b.size()
	next := sizeClass(2 * old)
	if old >= maxPooled {
		next++
	}
	if most := sizeClass(b.max); 1<<most > old {
		next = min(next, most)
	}
	if err := b.counter.claim(1<<next-old, other+old); err != nil {
		return err
	}
	larger := newMemory(next)
	*larger = append(*larger, b.Bytes()...)
	if b.memory != nil {
		freeMemory(b.memory)
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
