package format

import (
	"time"

	"github.com/aerosink/aerosink/connector/change"
)

// batch collects the changes of one body, within the limits.
type batch struct {
	parser Parser // with the defaults of all that is zero
	size   int    // of the body and of what its parts inflated to, in bytes
	left   int    // bytes that its parts may still inflate to
	parsed []Parsed
	names  change.Names
	bins   binSlab

	smallest int // bytes that a change has at least
}

func (p Parser) batch(body []byte) *batch {
	p.Limits = p.Limits.withDefaults()
	if p.Now == nil {
		p.Now = time.Now
	}
	return &batch{parser: p, size: len(body), left: p.Limits.Inflated, parsed: p.Room[:0]}
}

// inflated counts n bytes that a part of the body has inflated to.
func (b *batch) inflated(n int) {
	b.size += n
	b.left = max(b.left-n, 0)
}

// add begins a change of a format, which stands at offset in the body. An error is
// of the whole body.
func (b *batch) add(offset int, format string) (*Parsed, error) {
	if err := b.room(offset, 1); err != nil {
		return nil, err
	}
	if n := len(b.parsed); n == cap(b.parsed) {
		room := min(max(2*n, fewChanges), b.parser.Limits.Changes, b.mostChanges())
		b.parsed = append(make([]Parsed, 0, room), b.parsed...)
	}
	b.parsed = append(b.parsed, Parsed{Offset: offset, Format: format})
	one := &b.parsed[len(b.parsed)-1]
	b.bins.lend(&one.Change)
	return one, nil
}

// fewChanges is for how many changes there is room at first.
const fewChanges = 16

// room finds out whether n more changes may be in the body.
func (b *batch) room(offset int, n int64) error {
	switch {
	case n > int64(b.parser.Limits.Changes-len(b.parsed)):
		return tooLarge(offset, "more than %d changes in one body", b.parser.Limits.Changes)
	case n > int64(b.mostChanges()-len(b.parsed)):
		return fault(offset, "more changes than the body has room for")
	}
	return nil
}

// end finishes the change that was added last: it is what data say, unless err
// says why it is none.
func (b *batch) end(one *Parsed, data []byte, err error) {
	b.bins.keep(&one.Change)
	one.Data = data[:len(data):len(data)]
	if err == nil {
		err = b.within(one)
	}
	if err != nil {
		one.Err, one.Offset = err, faultAt(err, one.Offset)
	}
}

// within finds out whether a change that was read is within the limits.
func (b *batch) within(one *Parsed) error {
	limits := &b.parser.Limits
	if err := b.fits(one.Offset, len(one.Data)); err != nil || limits.Depth == change.MaxDepth {
		return err
	}
	for i := range one.Change.Bins {
		if one.Change.Bins[i].Value.Depth() > limits.Depth {
			return b.tooDeep(one.Offset)
		}
	}
	return nil
}

// fits finds out whether a change may have so many bytes.
func (b *batch) fits(offset, size int) error {
	if most := b.parser.Limits.Change; size > most {
		return tooLarge(offset, "a change of %d bytes, the limit is %d", size, most)
	}
	return nil
}

func (b *batch) tooDeep(offset int) error {
	return tooLarge(offset, "lists and maps nest deeper than %d", b.parser.Limits.Depth)
}

// binSlab is memory for the bins of many changes, which share what one allocation
// gives.
type binSlab struct {
	free []change.Bin // of no length; its capacity is what is left
	last int          // bins of the change before
}

// The bounds of what a binSlab allocates at once, in bins.
const (
	smallBinSlab = 32
	largeBinSlab = 1024
)

// lend makes room for the bins of c, which are appended to c.Bins.
func (s *binSlab) lend(c *change.Change) {
	if cap(s.free) < min(s.last, largeBinSlab) {
		s.free = make([]change.Bin, 0, min(smallBinSlab*s.last, largeBinSlab))
	}
	c.Bins = s.free
}

// keep takes back what the bins of c leave free.
func (s *binSlab) keep(c *change.Change) {
	n := len(c.Bins)
	s.last, s.free = n, c.Bins[n:]
	if c.Bins = c.Bins[:n:n]; n == 0 {
		c.Bins = nil
	}
}
