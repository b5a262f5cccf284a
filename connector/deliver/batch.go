package deliver

import (
	"slices"
	"sync"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/deliver/post"
)

// batch is a sequence of changes of one stream, to be sent in one request.
type batch struct {
	stream   *Stream
	created  time.Time // set for a stream with an Interval
	earliest time.Time // lower bound of the deadlines
	records  []byte
	items    []queuedItem
	origins  []origin     // of the items, in order of arrival
	request  post.Request // with which the batch is sent

	isHalf bool   // part of a batch that was refused or too large
	other  *batch // of a first half: the second, if one of the two must be refused
}

// queuedItem is an item of a batch.
type queuedItem struct {
	end      int // offset of the end of its record in records
	origin   int // index in origins
	digest   change.Digest
	deadline time.Time
	to       change.Recipient
}

// origin is the namespace and set of changes.
type origin struct{ namespace, set string }

// batches is a pool of batches. Those larger than maxPooledBytes are left to the garbage
// collector, so that the pool does not hold much memory after a burst of large batches.
var batches = sync.Pool{New: func() any { return new(batch) }}

const maxPooledBytes = 256 << 10

func newBatch(s *Stream) *batch {
	b := batches.Get().(*batch) //nolint:forcetypeassert // nothing else is put there
	b.stream = s
	if s.Interval > 0 {
		b.created = time.Now()
	}
	return b
}

// free returns b to the pool. b must not be used after that. Halves are left to the
// garbage collector, since the first refers to the second.
func (b *batch) free() {
	if b.isHalf || cap(b.records) > maxPooledBytes || cap(b.request.Compressed) > maxPooledBytes {
		return
	}
	clear(b.items)
	clear(b.origins)
	*b = batch{records: b.records[:0], items: b.items[:0], origins: b.origins[:0], request: post.Request{Compressed: b.request.Compressed[:0]}}
	batches.Put(b)
}

// fits reports whether i may be added.
func (b *batch) fits(i *Item) bool {
	return b.stream == i.Stream && !b.isFull()
}

func (b *batch) isFull() bool {
	return len(b.items) >= b.stream.MaxRecords || len(b.records) >= b.stream.MaxBytes
}

// fullness returns how full b is if it may have up to maxRecords items; 1 is full.
func (b *batch) fullness(maxRecords int) float64 {
	return max(float64(len(b.items))/float64(maxRecords), float64(len(b.records))/float64(b.stream.MaxBytes))
}

func (b *batch) add(i *Item) {
	if len(b.items) == 0 || i.Deadline.Before(b.earliest) {
		b.earliest = i.Deadline
	}
	from := origin{i.Namespace, i.Set}
	if n := len(b.origins); n == 0 || b.origins[n-1] != from {
		b.origins = append(b.origins, from)
	}
	b.records = append(b.records, i.Record...)
	b.items = append(b.items, queuedItem{end: len(b.records), origin: len(b.origins) - 1, digest: i.Digest, deadline: i.Deadline, to: i.To})
	if b.stream.MaxRecords == 1 {
		b.request.Header = i.Header
	}
}

// grow sets the capacity of b to at least the given records and bytes in total.
func (b *batch) grow(records, bytes int) {
	b.items = slices.Grow(b.items, max(0, records-len(b.items)))
	b.records = slices.Grow(b.records, max(0, bytes-len(b.records)))
}

// join adds the items of other.
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
	if other.earliest.Before(b.earliest) {
		b.earliest = other.earliest
	}
}

// rejection is the verdict on an item that was not sent.
type rejection struct {
	to  change.Recipient
	err error
}

// rejectReason returns why an item with this deadline should not be sent, or nil.
type rejectReason func(deadline time.Time) error

// tooLate rejects items whose deadline has passed.
func tooLate(now time.Time) rejectReason {
	return func(deadline time.Time) error {
		if now.Before(deadline) {
			return nil
		}
		return errTooLate
	}
}

// sweep removes the items that reason has an error for, and batches that become empty.
func sweep(batches []*batch, out []rejection, reason rejectReason) ([]*batch, []rejection) {
	return slices.DeleteFunc(batches, func(b *batch) bool {
		out = b.remove(out, reason)
		if len(b.items) > 0 {
			return false
		}
		b.free()
		return true
	}), out
}

// remove removes the items that reason has an error for, and appends them to out. If there
// is no error for the earliest deadline, there is none for any item.
func (b *batch) remove(out []rejection, reason rejectReason) []rejection {
	if reason(b.earliest) == nil {
		return out
	}
	kept, end, start := b.items[:0], 0, 0
	for _, i := range b.items {
		record := b.records[start:i.end]
		start = i.end
		if err := reason(i.deadline); err != nil {
			out = append(out, rejection{i.to, err})
			continue
		}
		end += copy(b.records[end:], record)
		i.end = end
		if len(kept) == 0 || i.deadline.Before(b.earliest) {
			b.earliest = i.deadline
		}
		kept = append(kept, i)
	}
	b.items, b.records = kept, b.records[:end]
	return out
}

// latest returns the latest deadline.
func (b *batch) latest() time.Time {
	var t time.Time
	for _, i := range b.items {
		if i.deadline.After(t) {
			t = i.deadline
		}
	}
	return t
}

// half returns the items [from, to) as a batch of its own.
func (b *batch) half(from, to int) *batch {
	start := 0
	if from > 0 {
		start = b.items[from-1].end
	}
	h := &batch{stream: b.stream, earliest: b.earliest, origins: slices.Clone(b.origins), request: post.Request{Header: b.request.Header}, isHalf: true}
	h.records = append(h.records, b.records[start:b.items[to-1].end]...)
	for _, i := range b.items[from:to] {
		i.end -= start
		h.items = append(h.items, i)
	}
	return h
}

// cut removes the first n items and returns them as a batch of their own.
func (b *batch) cut(n int) *batch {
	first := b.half(0, n)
	removed := b.items[n-1].end
	b.records = append(b.records[:0], b.records[removed:]...)
	kept := append(b.items[:0], b.items[n:]...)
	clear(b.items[len(kept):])
	for i := range kept {
		kept[i].end -= removed
	}
	b.items, b.other = kept, nil
	return first
}

// origin returns the namespace and the set of all items; "" if they differ.
func (b *batch) origin() (namespace, set string) {
	first := b.origins[b.items[0].origin]
	namespace, set = first.namespace, first.set
	for _, i := range b.items[1:] {
		switch o := b.origins[i.origin]; {
		case o.namespace != first.namespace:
			return "", ""
		case o != first:
			set = ""
		}
	}
	return namespace, set
}

// digest returns the digest of the only item, nil if there are several or it is unknown.
func (b *batch) digest() []byte {
	if d := &b.items[0].digest; len(b.items) == 1 && *d != (change.Digest{}) {
		return d[:]
	}
	return nil
}
