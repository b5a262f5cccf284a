package deliver

import (
	"net/http"
	"slices"
	"sync"
	"time"
)

// batch is what one request carries.
type batch struct {
	stream  *Stream
	born    time.Time
	records []byte
	items   []item
	origins []origin    // of the items, in the order in which they came
	header  http.Header // of the only item
	packed  []byte      // memory for the compressed body

	half   bool   // of a batch that was refused; takes no more parcels
	second *batch // the other half, of a first one
	bad    bool   // is known to be refused as a whole
}

type item struct {
	end      int // of the item's record in records
	origin   int // in origins
	deadline time.Time
	to       Recipient
}

// origin is where changes are from.
type origin struct{ namespace, set string }

// batches keeps memory for batches. What was larger than keptBytes is left to the
// garbage collector, so that a burst of large batches costs nothing later.
var batches = sync.Pool{New: func() any { return new(batch) }}

const keptBytes = 256 << 10

func newBatch(s *Stream) *batch {
	b := batches.Get().(*batch) //nolint:forcetypeassert // nothing else is put there
	b.stream, b.born = s, time.Now()
	return b
}

// free gives up the memory of b, to which nobody may hold on. Halves are left to
// the garbage collector, since one knows of the other.
func (b *batch) free() {
	if b.half || cap(b.records) > keptBytes || cap(b.packed) > keptBytes {
		return
	}
	clear(b.items)
	clear(b.origins)
	*b = batch{records: b.records[:0], items: b.items[:0], origins: b.origins[:0], packed: b.packed[:0]}
	batches.Put(b)
}

func (b *batch) fits(p *Parcel) bool {
	return b.stream == p.Stream && !b.half && !b.full()
}

func (b *batch) full() bool {
	return len(b.items) >= b.stream.MaxRecords || len(b.records) >= b.stream.MaxBytes
}

func (b *batch) add(p *Parcel) {
	from := origin{p.Namespace, p.Set}
	if n := len(b.origins); n == 0 || b.origins[n-1] != from {
		b.origins = append(b.origins, from)
	}
	b.records = append(b.records, p.Record...)
	b.items = append(b.items, item{end: len(b.records), origin: len(b.origins) - 1, deadline: p.Deadline, to: p.To})
	if b.stream.MaxRecords == 1 {
		b.header = p.Header
	}
}

// drop takes the items out of b for which refusal has an error, and appends them
// to out with it.
func (b *batch) drop(out []settlement, refusal func(deadline time.Time) error) []settlement {
	kept, end, start := b.items[:0], 0, 0
	for _, i := range b.items {
		record := b.records[start:i.end]
		start = i.end
		if err := refusal(i.deadline); err != nil {
			out = append(out, settlement{i.to, err})
			continue
		}
		end += copy(b.records[end:], record)
		i.end = end
		kept = append(kept, i)
	}
	b.items, b.records = kept, b.records[:end]
	return out
}

// latest returns the last deadline.
func (b *batch) latest() time.Time {
	var t time.Time
	for _, i := range b.items {
		if i.deadline.After(t) {
			t = i.deadline
		}
	}
	return t
}

// part returns the items from one to before another as a batch of its own.
func (b *batch) part(from, to int) *batch {
	start := 0
	if from > 0 {
		start = b.items[from-1].end
	}
	p := &batch{stream: b.stream, born: b.born, origins: slices.Clone(b.origins), header: b.header, half: true}
	p.records = append(p.records, b.records[start:b.items[to-1].end]...)
	for _, i := range b.items[from:to] {
		i.end -= start
		p.items = append(p.items, i)
	}
	return p
}

// namespace returns that of all items, or "" when they have several.
func (b *batch) namespace() string {
	first := b.origins[b.items[0].origin].namespace
	for _, i := range b.items[1:] {
		if b.origins[i.origin].namespace != first {
			return ""
		}
	}
	return first
}

// set returns that of all items, or "" when they have several or none.
func (b *batch) set() string {
	first := b.origins[b.items[0].origin]
	for _, i := range b.items[1:] {
		if b.origins[i.origin] != first {
			return ""
		}
	}
	return first.set
}
