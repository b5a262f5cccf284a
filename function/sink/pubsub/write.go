package pubsub

import (
	"fmt"
	"slices"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
)

// typicalFrame is about what a message is larger than its data, in bytes.
const typicalFrame = 320

// writing is a batch that becomes a delivery.
type writing struct {
	*publisher
	*delivery
	batch    sink.Batch
	writer   *writer
	messages []message // of all parcels
}

// write writes the messages of a batch, and judges the changes that are none.
func (p *publisher) write(b sink.Batch) *delivery {
	size := 0
	for i := range b.Changes {
		size += typicalFrame + len(b.Changes[i].Data)
	}
	w, _ := writers.Get().(*writer)
	defer w.free()
	d := &delivery{changes: len(b.Changes), buffer: newBuffer(size)}
	it := writing{publisher: p, delivery: d, batch: b, writer: w}
	places := it.places()
	it.messages = make([]message, 0, len(places))
	for start, end := 0, 0; start < len(places); start = end {
		lane := laneOf(places[start])
		for end < len(places) && laneOf(places[end]) == lane {
			end++
		}
		it.lane(lane, start, end)
	}
	at := 0
	for i := range d.parcels {
		p := &d.parcels[i]
		p.d, p.data = d, d.buffer.bytes[at:at+p.size()]
		at += len(p.data)
	}
	d.buffer.hold(len(d.parcels))
	return d
}

// places orders the changes by lane, those of one lane as they come in the batch. A
// place is a lane and an index.
func (w *writing) places() []uint64 {
	places := make([]uint64, len(w.batch.Changes))
	w.order = make([]int32, len(places))
	for i := range places {
		places[i] = uint64(i)
		if w.shards > 0 {
			places[i] |= uint64(w.batch.Changes[i].Change.Digest.Partition()%w.shards) << 32
		}
	}
	slices.Sort(places)
	lanes := 0
	for at, place := range places {
		w.order[at] = int32(place)
		if at == 0 || laneOf(place) != laneOf(places[at-1]) {
			lanes++
		}
	}
	w.parcels = make([]parcel, 0, lanes)
	if w.shards > 0 {
		w.marks = make([]mark, len(places))
		for at := range w.order {
			w.marks[at] = markOf(w.change(at))
		}
	}
	return places
}

func laneOf(place uint64) int { return int(place >> 32) }

// change returns a change by its place in the order.
func (w *writing) change(at int) *format.Parsed { return &w.batch.Changes[w.order[at]] }

// lane writes the changes of a lane, order[start:end].
func (w *writing) lane(lane, start, end int) {
	if w.packed != "" && w.batch.Letters == nil {
		w.pack(lane, start, end)
		return
	}
	for at := start; at < end; at++ {
		if err := w.message(lane, at); err != nil {
			w.judge(message{first: at, last: at + 1}, err)
		}
	}
}

// message writes one change as a message.
func (w *writing) message(lane, at int) error {
	p := w.change(at)
	data, name := p.Data, p.Format
	if w.rewrites(p) {
		var err error
		if data, err = w.rewrite(w.writer.data[:0], p); err != nil {
			return err
		}
		w.writer.data, name = data, w.format
	}
	if w.batch.Letters != nil {
		w.writer.letter(&w.batch.Letters[w.order[at]], p)
	} else {
		w.writer.change(&p.Change, name)
	}
	w.writer.text("traceparent", w.batch.TraceParent)
	if over := w.add(lane, data, at, at+1); over > 0 {
		return w.tooLarge(over)
	}
	return nil
}

// rewrites reports whether a change is written anew. Letters never are; Avro always,
// for what came may have another schema.
func (w *writing) rewrites(p *format.Parsed) bool {
	return w.rewrite != nil && w.batch.Letters == nil && (w.format != p.Format || w.format == (*format.Avro)(nil).Name())
}

// tooLarge is the verdict on a change that has no room in a request of its own.
func (w *writing) tooLarge(size int) error {
	return change.Permanent(fmt.Errorf("publish to %s: the change alone makes a message of %d bytes, and Pub/Sub takes requests of %d", w.url, size, requestBytes))
}

// add writes a message of the changes order[first:last] for a lane. When a request
// has no room for it, add leaves it out and returns its size.
func (w *writing) add(lane int, data []byte, first, last int) (over int) {
	start := len(w.buffer.bytes)
	w.buffer.bytes = w.writer.append(w.buffer.bytes, data, w.lanes[lane].key)
	size := len(w.buffer.bytes) - start
	if size > w.room {
		w.buffer.bytes = w.buffer.bytes[:start]
		return size
	}
	n := len(w.parcels)
	if n == 0 || w.parcels[n-1].lane != lane || !w.parcels[n-1].takes(size, w.room) {
		w.parcels = append(w.parcels, parcel{lane: lane})
		n++
	}
	p := &w.parcels[n-1]
	w.messages = append(w.messages, message{end: p.size() + size, first: first, last: last})
	p.messages = w.messages[len(w.messages)-1-len(p.messages):]
	return 0
}
