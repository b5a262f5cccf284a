package pubsub

import (
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/failures"
)

// pendingPut is a Put that waits for its verdicts.
type pendingPut struct {
	changes int           // in the batch
	order   []int32       // indexes of the changes in the batch, in the order of the messages
	ids     []failures.ID // of the changes, in that order; nil without ordering
	buffer  *buffer       // holds all messages
	chunks  []chunk

	// Guarded by the publisher's lock.
	unfinished int // chunks
	verdicts   sink.Verdicts
	abandoned  bool          // Put has returned, or is about to
	done       chan struct{} // closed when no chunk is unfinished
}

// chunk is what a Put has for one lane, or as much of that as one request holds. Its
// messages are all in the same request.
type chunk struct {
	put      *pendingPut
	lane     int
	messages []message
	data     []byte          // the encoded messages
	request  *publishRequest // nil while the chunk is queued
	finished bool            // its verdicts are set
}

// message is one message of a chunk, with one change or, packed, with many.
type message struct {
	end         int // offset in the data of the chunk
	first, last int // its changes are order[first:last]
}

// size returns the size of the messages in bytes.
func (c *chunk) size() int { return c.start(len(c.messages)) }

// start returns the offset of a message in the data.
func (c *chunk) start(message int) int {
	if message == 0 {
		return 0
	}
	return c.messages[message-1].end
}

// fits reports whether a message of size bytes fits into the same request of at most
// limit bytes.
func (c *chunk) fits(size, limit int) bool {
	return len(c.messages) < requestMessages && c.size()+size <= limit
}

// contentOf returns a hash of the data of a message.
func (c *chunk) contentOf(message int) uint64 {
	return failures.Hash(dataOf(c.data[c.start(message):c.messages[message].end]))
}

func (c *chunk) amount() amount { return amount{len(c.messages), c.size()} }

// idsOf returns the IDs of the changes of a message.
func (p *pendingPut) idsOf(m message) []failures.ID {
	if p.ids == nil {
		return nil
	}
	return p.ids[m.first:m.last]
}

// setVerdict sets err as the verdict on the changes of a message.
func (p *pendingPut) setVerdict(m message, err error) {
	if p.abandoned {
		return
	}
	for _, i := range p.order[m.first:m.last] {
		p.verdicts.Set(p.changes, int(i), err)
	}
}

// chunkDone notes that one more chunk is finished.
func (p *pendingPut) chunkDone() {
	p.unfinished--
	if p.unfinished == 0 {
		close(p.done)
	}
}
