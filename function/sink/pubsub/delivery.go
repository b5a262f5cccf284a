package pubsub

import (
	"github.com/aerosink/aerosink/function/sink"
)

// delivery is a Put on its way.
type delivery struct {
	changes int     // of the batch
	order   []int32 // the changes' places in the batch, as the messages have them
	marks   []mark  // of the changes, in the same order; none without ordering
	buffer  *buffer // with all messages
	parcels []parcel

	// The publisher's lock guards what follows.
	open     int // parcels whose fate is not known
	verdicts sink.Verdicts
	left     bool          // Put has returned, or is about to
	done     chan struct{} // closed when none is open
}

// parcel is what a Put has for one lane, or as much of that as a request may hold.
// All of it is in the same request.
type parcel struct {
	d        *delivery
	lane     int
	messages []message
	data     []byte   // the messages, as they stand in a request
	request  *request // that carries it; nil while it waits
	closed   bool     // its fate is known
}

// message is one message of a parcel, with one change or, packed, with many.
type message struct {
	end         int // in the data of the parcel
	first, last int // its changes are order[first:last]
}

// size returns the bytes of the messages.
func (p *parcel) size() int { return p.start(len(p.messages)) }

// start returns where a message begins in the data.
func (p *parcel) start(message int) int {
	if message == 0 {
		return 0
	}
	return p.messages[message-1].end
}

// takes reports whether a message of size bytes fits into the same request, which
// has room for so many.
func (p *parcel) takes(size, room int) bool {
	return len(p.messages) < requestMessages && p.size()+size <= room
}

func (p *parcel) load() load { return load{len(p.messages), p.size()} }

// marksOf returns the marks of the changes of a message.
func (d *delivery) marksOf(m message) []mark {
	if d.marks == nil {
		return nil
	}
	return d.marks[m.first:m.last]
}

// judge makes err the verdict on the changes of a message.
func (d *delivery) judge(m message, err error) {
	if d.left {
		return
	}
	for _, i := range d.order[m.first:m.last] {
		d.verdicts.Set(d.changes, int(i), err)
	}
}

// close notes that a parcel's fate is known.
func (d *delivery) close() {
	d.open--
	if d.open == 0 {
		close(d.done)
	}
}
