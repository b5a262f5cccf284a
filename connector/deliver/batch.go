package deliver

import (
	"net/http"
	"slices"
	"sync"
	"time"
)

// batch is changes of one stream, which can be sent in one request.
type batch struct {
	stream  *Stream
	born    time.Time // of a stream with an Interval
	soonest time.Time // no deadline is before it
	records []byte
	items   []item
	origins []origin    // of the items, in the order in which they came
	header  http.Header // of the only item
	packed  []byte      // memory for the compressed body

	half   bool   // is part of a batch that was refused
	second *batch // the other half, of a first one
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
	b.stream = s
	if s.Interval > 0 {
		b.born = time.Now()
	}
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
	return b.stream == p.Stream && !b.full()
}

func (b *batch) full() bool {
	return len(b.items) >= b.stream.MaxRecords || len(b.records) >= b.stream.MaxBytes
}

// fullness returns how much of what b may hold it does: 1 when it is full.
func (b *batch) fullness() float64 {
	return max(float64(len(b.items))/float64(b.stream.MaxRecords), float64(len(b.records))/float64(b.stream.MaxBytes))
}

func (b *batch) add(p *Parcel) {
	if len(b.items) == 0 || p.Deadline.Before(b.soonest) {
		b.soonest = p.Deadline
	}
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

// grow makes room for so many records, of so many bytes, in all.
func (b *batch) grow(records, bytes int) {
	b.items = slices.Grow(b.items, max(0, records-len(b.items)))
	b.records = slices.Grow(b.records, max(0, bytes-len(b.records)))
}

// join adds what other has.
func (b *batch) join(other *batch) {
	origins, first := other.origins, len(b.origins)
	if b.origins[first-1] == origins[0] {
		origins, first = origins[1:], first-1
	}
	b.origins = append(b.origins, origins...)
	start := len(b.records)
	b.records = append(b.records, other.records...)
	for _, i := range other.items {
		i.end += start
		i.origin += first
		b.items = append(b.items, i)
	}
	if other.soonest.Before(b.soonest) {
		b.soonest = other.soonest
	}
}

// refusal returns an error for what is not worth sending by then.
type refusal func(deadline time.Time) error

// drop takes the items out of b for which refusal has an error, and appends them
// to out with it. When the soonest deadline is not refused, none is.
func (b *batch) drop(out []settlement, refusal refusal) []settlement {
	if refusal(b.soonest) == nil {
		return out
	}
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
		if len(kept) == 0 || i.deadline.Before(b.soonest) {
			b.soonest = i.deadline
		}
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
	p := &batch{stream: b.stream, soonest: b.soonest, origins: slices.Clone(b.origins), header: b.header, half: true}
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
