package pubsub

import (
	"slices"
	"strconv"
	"time"

	"github.com/aerosink/aerosink/function/sink/failures"
)

// lane is a queue of chunks. One with an ordering key has at most one request in
// flight; what arrives meanwhile goes into the next. The publisher's lock guards it.
type lane struct {
	key      string // "" without ordering
	queue    []*chunk
	queued   amount // in the queue
	inFlight int    // requests
	retries  failures.Retries

	// A lane that can send waits among the publisher's waiting lanes for its turn.
	waiting      bool
	waitingSince time.Time // zero for one that need not wait for the linger
	prev, next   *lane
}

// amount is a number of messages and their bytes.
type amount struct{ messages, bytes int }

func (a *amount) add(c *chunk) {
	a.messages += len(c.messages)
	a.bytes += len(c.data)
}

func (a *amount) subtract(c *chunk) {
	a.messages -= len(c.messages)
	a.bytes -= len(c.data)
}

// Limits of a publish request (https://cloud.google.com/pubsub/quotas#resource_limits).
// The bytes are those of the encoded request, as Google's own client counts them: the
// messages with their attributes, keys and framing, and the topic's name.
const (
	requestMessages = 1000
	requestBytes    = 10_000_000
)

// With this much in a request its fixed cost is small, so a lane that has it need not
// wait for more.
const (
	wellFilledMessages = 250
	wellFilledBytes    = 512 << 10
)

func (l *lane) isWellFilled() bool {
	return l.queued.messages >= wellFilledMessages || l.queued.bytes >= wellFilledBytes
}

// canSend reports whether the lane may send a request now.
func (l *lane) canSend() bool {
	return len(l.queue) > 0 && (l.key == "" || l.inFlight == 0)
}

func (l *lane) add(p *chunk) {
	l.queue = append(l.queue, p)
	l.queued.add(p)
}

// takeRequest removes the chunks of the next request from the queue: as many as fit into
// maxBytes.
func (l *lane) takeRequest(maxBytes int) (chunks []*chunk, total amount) {
	n := 0
	for _, p := range l.queue {
		if n > 0 && (total.messages+len(p.messages) > requestMessages || total.bytes+len(p.data) > maxBytes) {
			break
		}
		total.add(p)
		l.queued.subtract(p)
		n++
	}
	chunks = slices.Clone(l.queue[:n])
	l.queue = slices.Delete(l.queue, 0, n)
	return chunks, total
}

// remove removes p from the queue, and with ordering everything behind it, since
// nothing may overtake p.
func (l *lane) remove(p *chunk) []*chunk {
	at := slices.Index(l.queue, p)
	end := at + 1
	if l.key != "" {
		end = len(l.queue)
	}
	removed := slices.Clone(l.queue[at:end])
	l.queue = slices.Delete(l.queue, at, end)
	for _, p := range removed {
		l.queued.subtract(p)
	}
	return removed
}

// newLanes returns a lane for each shard, or a single one without a key. They count
// their pending retries together, in changes.
func newLanes(shards int, changes *int) []lane {
	lanes := make([]lane, max(shards, 1))
	for i := range lanes {
		lanes[i].retries = failures.NewRetries(changes)
		if shards > 0 {
			lanes[i].key = strconv.Itoa(i)
		}
	}
	return lanes
}

// waitingLanes is a linked list of the lanes that wait to send: the well filled first,
// then the others by how long they have waited.
type waitingLanes struct{ first, last *lane }

// push adds a lane at the end, or at the front if it is well filled.
func (q *waitingLanes) push(l *lane, now time.Time) {
	l.waiting = true
	if l.isWellFilled() {
		l.waitingSince = time.Time{}
		l.next = q.first
		if q.first != nil {
			q.first.prev = l
		} else {
			q.last = l
		}
		q.first = l
		return
	}
	l.waitingSince = now
	l.prev = q.last
	if q.last != nil {
		q.last.next = l
	} else {
		q.first = l
	}
	q.last = l
}

// remove removes a lane, wherever it is.
func (q *waitingLanes) remove(l *lane) {
	if l.prev != nil {
		l.prev.next = l.next
	} else {
		q.first = l.next
	}
	if l.next != nil {
		l.next.prev = l.prev
	} else {
		q.last = l.prev
	}
	l.waiting, l.prev, l.next = false, nil, nil
}
