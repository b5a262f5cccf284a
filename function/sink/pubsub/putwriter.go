package pubsub

import (
	"fmt"
	"slices"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/failures"
	"github.com/aerosink/aerosink/function/sink/payload"
)

// typicalOverhead is about how much larger an encoded message is than its data, in
// bytes.
const typicalOverhead = 320

// putWriter encodes a batch as the messages of a Put.
type putWriter struct {
	*publisher
	*pendingPut
	batch    sink.Batch
	writer   *messageWriter
	messages []message // of all chunks
}

// newPut encodes a batch as messages, ordered by lane. Changes that have no message get
// their verdict.
func newPut(p *publisher, b sink.Batch) *pendingPut {
	size := 0
	for i := range b.Changes {
		size += typicalOverhead + len(b.Changes[i].Data)
	}
	mw, _ := messageWriters.Get().(*messageWriter)
	defer mw.free()
	put := &pendingPut{changes: len(b.Changes), buffer: newBuffer(size)}
	w := putWriter{publisher: p, pendingPut: put, batch: b, writer: mw}
	positions := w.sortByLane()
	w.messages = make([]message, 0, len(positions))
	for start, end := 0, 0; start < len(positions); start = end {
		lane := laneOf(positions[start])
		for end < len(positions) && laneOf(positions[end]) == lane {
			end++
		}
		w.lane(lane, start, end)
	}
	at := 0
	for i := range put.chunks {
		c := &put.chunks[i]
		c.put, c.data = put, put.buffer.bytes[at:at+c.size()]
		at += len(c.data)
	}
	put.buffer.hold(len(put.chunks))
	return put
}

// sortByLane orders the changes by lane, and within a lane as they come in the batch. A
// position is the lane in its high 32 bits and the index in the batch in its low ones.
func (w *putWriter) sortByLane() []uint64 {
	positions := make([]uint64, len(w.batch.Changes))
	w.order = make([]int32, len(positions))
	for i := range positions {
		positions[i] = uint64(i)
		if w.shards > 0 {
			positions[i] |= uint64(w.batch.Changes[i].Change.Digest.Partition()%w.shards) << 32
		}
	}
	slices.Sort(positions)
	lanes := 0
	for at, position := range positions {
		w.order[at] = int32(position)
		if at == 0 || laneOf(position) != laneOf(positions[at-1]) {
			lanes++
		}
	}
	w.chunks = make([]chunk, 0, lanes)
	if w.shards > 0 {
		w.ids = make([]failures.ID, len(positions))
		for at := range w.order {
			w.ids[at] = failures.IDOf(w.change(at))
		}
	}
	return positions
}

func laneOf(position uint64) int { return int(position >> 32) }

// change returns the change at an index of w.order.
func (w *putWriter) change(at int) *format.Parsed { return &w.batch.Changes[w.order[at]] }

// lane encodes the changes of a lane, order[start:end].
func (w *putWriter) lane(lane, start, end int) {
	if w.Packed != "" && w.batch.DeadLetters == nil {
		w.packLane(lane, start, end)
		return
	}
	for at := start; at < end; at++ {
		if err := w.message(lane, at); err != nil {
			w.setVerdict(message{first: at, last: at + 1}, err)
		}
	}
}

// message encodes one change as a message.
func (w *putWriter) message(lane, at int) error {
	p := w.change(at)
	data, name := p.Data, p.Format
	if w.batch.DeadLetters == nil && w.Rewrites(p) {
		var err error
		if data, err = w.Rewrite(w.writer.data[:0], p); err != nil {
			return err
		}
		w.writer.data, name = data, w.Format
	}
	if w.batch.DeadLetters != nil {
		w.writer.deadLetter(&w.batch.DeadLetters[w.order[at]], p)
	} else {
		w.writer.change(&p.Change, name)
	}
	w.writer.text("traceparent", w.batch.TraceParent)
	if over := w.add(lane, data, at, at+1); over > 0 {
		return w.tooLarge(over)
	}
	return nil
}

// tooLarge is the verdict on a change that does not fit into a request of its own.
func (w *putWriter) tooLarge(size int) error {
	return change.Permanent(fmt.Errorf("publish to %s: the message for one change has %d bytes, and Pub/Sub takes requests of at most %d", w.url, size, requestBytes))
}

// add encodes a message with the changes order[first:last] for a lane. If it does not
// fit into a request, add leaves it out and returns its size.
func (w *putWriter) add(lane int, data []byte, first, last int) (over int) {
	start := len(w.buffer.bytes)
	w.buffer.bytes = w.writer.append(w.buffer.bytes, data, w.lanes[lane].key)
	size := len(w.buffer.bytes) - start
	if size > w.maxMessageBytes {
		w.buffer.bytes = w.buffer.bytes[:start]
		return size
	}
	n := len(w.chunks)
	if n == 0 || w.chunks[n-1].lane != lane || !w.chunks[n-1].fits(size, w.maxMessageBytes) {
		w.chunks = append(w.chunks, chunk{lane: lane})
		n++
	}
	c := &w.chunks[n-1]
	w.messages = append(w.messages, message{end: c.size() + size, first: first, last: last})
	c.messages = w.messages[len(w.messages)-1-len(c.messages):]
	return 0
}

// packLane encodes the changes of a lane, order[start:end], as one message, or as few as
// fit into requests.
func (w *putWriter) packLane(lane, start, end int) {
	k := w.Packer(w.writer.data)
	kept := start
	for at := start; at < end; at++ {
		if err := k.Add(w.change(at)); err != nil {
			w.setVerdict(message{first: at, last: at + 1}, err)
			continue
		}
		w.order[kept] = w.order[at]
		if w.ids != nil {
			w.ids[kept] = w.ids[at]
		}
		kept++
	}
	w.writer.data = k.Scratch()
	if kept > start {
		w.packOrHalve(lane, &k, start, start, kept)
	}
}

// packOrHalve encodes order[start:end] as one message or, if that is too large, each half
// by itself. The first change of the packer is order[first].
func (w *putWriter) packOrHalve(lane int, k *payload.Packer, first, start, end int) {
	data, err := k.Message(start-first, end-first)
	if err != nil {
		w.setVerdict(message{first: start, last: end}, fmt.Errorf("publish to %s: %w", w.url, err))
		return
	}
	w.summary(start, end)
	over := w.add(lane, data, start, end)
	switch {
	case over == 0:
	case end-start == 1:
		w.setVerdict(message{first: start, last: end}, w.tooLarge(over))
	default:
		middle := (start + end) / 2
		w.packOrHalve(lane, k, first, start, middle)
		w.packOrHalve(lane, k, first, middle, end)
	}
}

// summary writes the attributes of a packed message: what all its changes share.
func (w *putWriter) summary(start, end int) {
	var all payload.Summary
	for at := start; at < end; at++ {
		all.Add(&w.change(at).Change)
	}
	w.writer.text("format", w.Packed)
	w.writer.text("encoding", w.Encoding())
	w.writer.number("changes", int64(all.Changes))
	w.writer.text("namespace", all.Namespace)
	w.writer.text("set", all.Set)
	if all.LastLUT > 0 {
		w.writer.number("lut-min", all.FirstLUT)
		w.writer.number("lut-max", all.LastLUT)
	}
	w.writer.text("traceparent", w.batch.TraceParent)
}
