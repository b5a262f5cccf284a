package pubsub

import (
	"slices"
	"strconv"
	"time"
)

// lane is a queue of parcels. One with an ordering key has no more than one request
// under way; what arrives meanwhile is the next. The publisher's lock guards it.
type lane struct {
	key    string // "" without ordering
	queue  []*parcel
	load   load // of the queue
	flying int  // requests under way
	debts  debts

	// A lane stands in the publisher's line when it may send and has to wait.
	inLine     bool
	since      time.Time // when it joined; zero when it is not to wait
	prev, next *lane
}

// load is how much there is of something.
type load struct{ messages, bytes int }

func (l *load) add(p *parcel) {
	l.messages += len(p.messages)
	l.bytes += len(p.data)
}

func (l *load) take(p *parcel) {
	l.messages -= len(p.messages)
	l.bytes -= len(p.data)
}

// Limits of a publish request (https://cloud.google.com/pubsub/quotas#resource_limits).
// The bytes are those of the request as it is sent, so Google's own client counts:
// the messages with their attributes, keys and what frames them, and the topic's name.
const (
	requestMessages = 1000
	requestBytes    = 10_000_000
)

// Of so much the costs of a request are a small part: a lane that has it need not
// wait for more.
const (
	wellFilledMessages = 250
	wellFilledBytes    = 512 << 10
)

func (l *lane) wellFilled() bool {
	return l.load.messages >= wellFilledMessages || l.load.bytes >= wellFilledBytes
}

// mayFly reports whether the lane has something that it may send.
func (l *lane) mayFly() bool {
	return len(l.queue) > 0 && (l.key == "" || l.flying == 0)
}

func (l *lane) add(p *parcel) {
	l.queue = append(l.queue, p)
	l.load.add(p)
}

// board takes the parcels of the next request off the queue, as many as have room
// in most bytes.
func (l *lane) board(most int) (parcels []*parcel, total load) {
	n := 0
	for _, p := range l.queue {
		if n > 0 && (total.messages+len(p.messages) > requestMessages || total.bytes+len(p.data) > most) {
			break
		}
		total.add(p)
		l.load.take(p)
		n++
	}
	parcels = slices.Clone(l.queue[:n])
	l.queue = slices.Delete(l.queue, 0, n)
	return parcels, total
}

// leave takes p off the queue, and with ordering all that wait behind it: nothing
// may overtake it.
func (l *lane) leave(p *parcel) []*parcel {
	at := slices.Index(l.queue, p)
	end := at + 1
	if l.key != "" {
		end = len(l.queue)
	}
	gone := slices.Clone(l.queue[at:end])
	l.queue = slices.Delete(l.queue, at, end)
	for _, p := range gone {
		l.load.take(p)
	}
	return gone
}

// newLanes returns one lane for each of the shards, or one for all without keys.
// They owe changes together.
func newLanes(shards int, changes *int) []lane {
	lanes := make([]lane, max(shards, 1))
	for i := range lanes {
		lanes[i].debts.changes = changes
		if shards > 0 {
			lanes[i].key = strconv.Itoa(i)
		}
	}
	return lanes
}

// line are the lanes that wait, the one that has waited longest first.
type line struct{ first, last *lane }

// join puts a lane at the end of the line, or at its front when it is not to wait.
func (q *line) join(l *lane, now time.Time) {
	l.inLine = true
	if l.wellFilled() {
		l.since = time.Time{}
		l.next = q.first
		if q.first != nil {
			q.first.prev = l
		} else {
			q.last = l
		}
		q.first = l
		return
	}
	l.since = now
	l.prev = q.last
	if q.last != nil {
		q.last.next = l
	} else {
		q.first = l
	}
	q.last = l
}

// quit takes a lane out of the line, wherever it stands.
func (q *line) quit(l *lane) {
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
	l.inLine, l.prev, l.next = false, nil, nil
}
