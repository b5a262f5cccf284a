package kinesis

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/failures"
	"github.com/aerosink/aerosink/function/sink/ordered"
	"github.com/aerosink/aerosink/function/sink/payload"
)

// encoder makes the records of a batch.
type encoder struct {
	*stream
	ctx      context.Context // of the Put
	batch    sink.Batch
	order    []int32       // indexes of the changes in the batch, in the order of the records
	ids      []failures.ID // of the changes, in that order
	messages []ordered.Message[record]
	spans    []span // of the messages
	verdicts sink.Verdicts

	json []byte // of the newest records
	scratch
}

// span is the changes order[from:to].
type span struct{ from, to int }

// scratch is memory for what becomes a record.
type scratch struct {
	data       []byte // a change that is re-encoded, or several
	enclosed   []byte // data in an envelope
	key        []byte
	attributes []payload.Attribute
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// largestScratch is the size of memory that is kept, in bytes.
const largestScratch = 4 << 20

// free returns the memory to its pool.
func (s *scratch) free() {
	if cap(s.data)+cap(s.enclosed) <= largestScratch {
		scratches.Put(s)
	}
}

// encode makes the records of a batch. Changes that have none get their verdict.
func (s *stream) encode(ctx context.Context, b sink.Batch) *encoder {
	n := len(b.Changes)
	shared, _ := scratches.Get().(*scratch)
	e := &encoder{
		stream: s, ctx: ctx, batch: b, order: make([]int32, n), ids: make([]failures.ID, n),
		messages: make([]ordered.Message[record], 0, n), spans: make([]span, 0, n), scratch: *shared,
	}
	for i := range e.order {
		e.order[i] = int32(i)
	}
	packed := e.payload.Packed != ""
	if packed {
		slices.SortStableFunc(e.order, func(a, b int32) int { return e.shardOf(a) - e.shardOf(b) })
	}
	e.json = make([]byte, 0, e.estimate())
	for at := range e.order {
		e.ids[at] = failures.IDOf(e.change(at))
	}
	if packed {
		e.packAll()
	} else {
		e.singles()
	}
	*shared = e.scratch
	shared.free()
	return e
}

// block is the size of the memory for the records of a Put that do not fit where they were
// expected to, in bytes.
const block = 256 << 10

// typicalOverhead is about how much larger the JSON of a record is than the Base64 of its
// change, in bytes.
const typicalOverhead = 48

// estimate returns about how much memory the records need.
func (e *encoder) estimate() int {
	size := 0
	for i := range e.batch.Changes {
		size += base64.StdEncoding.EncodedLen(len(e.batch.Changes[i].Data)) + typicalOverhead
	}
	return size
}

// change returns the change at an index of e.order.
func (e *encoder) change(at int) *format.Parsed { return &e.batch.Changes[e.order[at]] }

// shardOf returns the shard of a change, by its index in the batch.
func (e *encoder) shardOf(change int32) int {
	return e.batch.Changes[change].Change.Digest.Partition() % e.keys
}

// setVerdict sets the verdict on the changes of a record.
func (e *encoder) setVerdict(s span, err error) {
	for _, i := range e.order[s.from:s.to] {
		e.verdicts.Set(len(e.order), int(i), err)
	}
}

// singles makes a record of each change.
func (e *encoder) singles() {
	for at := range e.order {
		if err := e.single(at); err != nil {
			e.setVerdict(span{at, at + 1}, err)
		}
	}
}

func (e *encoder) single(at int) error {
	p := e.change(at)
	data, name := p.Data, p.Format
	if e.payload.Rewrites(p) {
		var err error
		if data, err = e.payload.Rewrite(e.data[:0], p); err != nil {
			return err
		}
		e.data, name = data, e.payload.Format
	}
	if e.envelope {
		e.attributes = payload.AppendAttributes(e.attributes[:0], &p.Change, name)
		data = e.enclose(data)
	}
	return e.add(data, span{at, at + 1})
}

// enclose returns an envelope with data and e.attributes.
func (e *encoder) enclose(data []byte) []byte {
	e.attributes = append(e.attributes, payload.Attribute{Name: "traceparent", Value: e.batch.TraceParent})
	e.enclosed = appendEnvelope(e.enclosed[:0], e.attributes, data)
	return e.enclosed
}

// add adds a record of the changes s, unless it is too large.
func (e *encoder) add(data []byte, s span) error {
	key := e.partitionKey(s)
	size := len(data) + len(key)
	if limit := e.recordLimit(size); size > limit {
		return change.Permanent(fmt.Errorf("send to %s: the record has %d bytes, and the stream takes at most %d", e.url, size, limit))
	}
	start := e.reserve(recordSize(data, key))
	e.json = appendRecord(e.json, data, key)
	r := record{json: e.json[start:len(e.json):len(e.json)], changes: s.to - s.from}
	e.messages = append(e.messages, ordered.Message[record]{Entry: r, IDs: e.ids[s.from:s.to], Size: size, Content: failures.Content(e.ids[s.from:s.to])})
	e.spans = append(e.spans, s)
	return nil
}

// partitionKey returns the partition key of a record of the changes s.
func (e *encoder) partitionKey(s span) []byte {
	if e.keys == 0 {
		e.key = base64.StdEncoding.AppendEncode(e.key[:0], e.change(s.from).Change.Digest[:])
	} else {
		e.key = strconv.AppendInt(e.key[:0], int64(e.shardOf(e.order[s.from])), 10)
	}
	return e.key
}

// recordLimit returns how large a record may be, which it asks for if size may be too large.
func (e *encoder) recordLimit(size int) int {
	if size <= minRecordLimit || size > maxRecordBytes {
		return maxRecordBytes
	}
	return e.limit.get(e.ctx)
}

// reserve makes room for a record of size bytes of JSON, and returns where in e.json it starts.
func (e *encoder) reserve(size int) int {
	if len(e.json)+size > cap(e.json) {
		e.json = make([]byte, 0, max(block, size)) // the records so far keep theirs
	}
	return len(e.json)
}

// packAll makes one record of all changes with the same key, or as few as every stream takes.
func (e *encoder) packAll() {
	for start, end := 0, 0; start < len(e.order); start = end {
		shard := e.shardOf(e.order[start])
		for end < len(e.order) && e.shardOf(e.order[end]) == shard {
			end++
		}
		e.pack(start, end)
	}
}

// pack makes one record of the changes order[start:end], or as few as every stream takes.
func (e *encoder) pack(start, end int) {
	k := e.payload.Packer(e.data)
	kept := start
	for at := start; at < end; at++ {
		if err := k.Add(e.change(at)); err != nil {
			e.setVerdict(span{at, at + 1}, err)
			continue
		}
		e.order[kept], e.ids[kept] = e.order[at], e.ids[at]
		kept++
	}
	if kept > start {
		e.packOrHalve(&k, start, span{start, kept})
	}
	e.data = k.Scratch()
}

// packOrHalve makes one record of the changes s or, if that is larger than every stream takes,
// each half by itself. The first change of the packer is order[first].
func (e *encoder) packOrHalve(k *payload.Packer, first int, s span) {
	data, err := k.Message(s.from-first, s.to-first)
	if err != nil {
		e.setVerdict(s, fmt.Errorf("send to %s: %w", e.url, err))
		return
	}
	if e.envelope {
		var all payload.Summary
		for at := s.from; at < s.to; at++ {
			all.Add(&e.change(at).Change)
		}
		e.attributes = e.payload.AppendSummary(e.attributes[:0], &all)
		data = e.enclose(data)
	}
	if s.to-s.from > 1 && len(data)+len(e.partitionKey(s)) > minRecordLimit {
		middle := (s.from + s.to) / 2
		e.packOrHalve(k, first, span{s.from, middle})
		e.packOrHalve(k, first, span{middle, s.to})
		return
	}
	if err := e.add(data, s); err != nil {
		e.setVerdict(s, err)
	}
}
