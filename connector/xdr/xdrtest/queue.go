package xdrtest

import (
	"slices"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/xdr"
)

// item is an entry of a queue: a record that changed, or a message to ship unchanged.
type item struct {
	digest  change.Digest
	record  *record // nil for a message
	message *message
	lut     int64     // of the change that was queued first; 0 of a message
	after   time.Time // not shipped before
}

// message is a message to ship unchanged.
type message struct {
	frame   xdr.Frame
	version Version // that it makes
	once    bool    // not shipped again, whatever the answer
}

// queue holds what a connection has to ship, in a queue for each partition. Partitions
// take turns. The zero queue is empty.
type queue struct {
	partitions map[int]*itemList
	turns      []int // the partitions that are not empty
	count      int
}

// itemList is a list of items that grows at both ends.
type itemList struct {
	items []item
	first int // index of the first item; those before are unused
}

func (l *itemList) all() []item { return l.items[l.first:] }

func (l *itemList) addLast(i item) {
	if len(l.items) == cap(l.items) && l.first > len(l.items)/2 { // else a list that is never empty grows for ever
		n := copy(l.items, l.items[l.first:])
		clear(l.items[n:])
		l.items, l.first = l.items[:n], 0
	}
	l.items = append(l.items, i)
}

func (l *itemList) addFirst(i item) {
	if l.first == 0 {
		room := 4 + len(l.items)/2
		l.items = append(make([]item, room, room+len(l.items)+4), l.items...)
		l.first = room
	}
	l.first--
	l.items[l.first] = i
}

// add appends i to the queue of its partition. It returns false if i is a record that is
// queued already.
func (q *queue) add(i item) bool {
	l := q.list(i)
	if l == nil {
		return false
	}
	l.addLast(i)
	return true
}

// addFirst is add at the front of the queue.
func (q *queue) addFirst(i item) bool {
	l := q.list(i)
	if l == nil {
		return false
	}
	l.addFirst(i)
	return true
}

// list returns the list that i is to be added to, or nil if i is a record that is queued
// already.
func (q *queue) list(i item) *itemList {
	if i.record != nil {
		if i.record.queued {
			return nil
		}
		i.record.queued = true
	}
	p := i.digest.Partition()
	l := q.partitions[p]
	if l == nil {
		if q.partitions == nil {
			q.partitions = map[int]*itemList{}
		}
		l = &itemList{}
		q.partitions[p] = l
		q.turns = append(q.turns, p)
	}
	q.count++
	return l
}

// take removes and returns at most n items for which may returns true. An item stays if an
// earlier one of the same record stays.
func (q *queue) take(n int, may func(*item) bool) []item {
	var taken []item
	for range len(q.turns) {
		if len(taken) >= n {
			break
		}
		p := q.turns[0]
		q.turns = q.turns[1:]
		l := q.partitions[p]
		taken = l.take(taken, n, may)
		if len(l.all()) == 0 {
			delete(q.partitions, p)
			continue
		}
		q.turns = append(q.turns, p)
	}
	q.count -= len(taken)
	for _, i := range taken {
		i.unqueue()
	}
	return taken
}

// take is queue.take for one partition. It appends to taken until that has n items.
func (l *itemList) take(taken []item, n int, may func(*item) bool) []item {
	var stay []item
	messages := false // in stay
	at := l.first
	for ; at < len(l.items) && len(taken) < n; at++ {
		i := &l.items[at]
		// A record is in the list only once, apart from its messages.
		behind := (messages || i.message != nil) && slices.ContainsFunc(stay, func(other item) bool { return other.digest == i.digest })
		if behind || !may(i) {
			stay = append(stay, *i)
			messages = messages || i.message != nil
			continue
		}
		taken = append(taken, *i)
	}
	clear(l.items[l.first:at])
	l.first = at - len(stay)
	copy(l.items[l.first:], stay)
	return taken
}

func (i *item) unqueue() {
	if i.record != nil {
		i.record.queued = false
	}
}

// drain removes and returns all items.
func (q *queue) drain() []item {
	var all []item
	for _, p := range q.turns {
		all = append(all, q.partitions[p].all()...)
	}
	for _, i := range all {
		i.unqueue()
	}
	*q = queue{}
	return all
}

func (q *queue) len() int { return q.count }
