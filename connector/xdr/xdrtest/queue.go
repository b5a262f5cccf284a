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
	lut     int64     // of the change that was queued first; 0 of a message
	after   time.Time // not shipped before
	frame   xdr.Frame // nil reads the record
	version Version   // of the frame
	once    bool      // not shipped again, whatever the answer
}

// queue holds what a connection has to ship, in a queue for each partition. Partitions
// take turns. The zero queue is empty.
type queue struct {
	partitions map[int][]item
	turns      []int // the partitions that are not empty
}

// add appends i to the queue of its partition. It returns false if i is a record that is
// queued already.
func (q *queue) add(i item) bool {
	p := i.digest.Partition()
	if i.frame == nil && q.has(i.digest) {
		return false
	}
	if q.partitions == nil {
		q.partitions = map[int][]item{}
	}
	if len(q.partitions[p]) == 0 {
		q.turns = append(q.turns, p)
	}
	q.partitions[p] = append(q.partitions[p], i)
	return true
}

// addFirst is add at the front of the queue.
func (q *queue) addFirst(i item) bool {
	if !q.add(i) {
		return false
	}
	items := q.partitions[i.digest.Partition()]
	copy(items[1:], items)
	items[0] = i
	return true
}

// has reports whether the record is queued.
func (q *queue) has(d change.Digest) bool {
	return slices.ContainsFunc(q.partitions[d.Partition()], func(i item) bool { return i.frame == nil && i.digest == d })
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
		var stay []item
		for at, i := range q.partitions[p] {
			if len(taken) >= n {
				stay = append(stay, q.partitions[p][at:]...)
				break
			}
			behind := slices.ContainsFunc(stay, func(other item) bool { return other.digest == i.digest })
			if behind || !may(&i) {
				stay = append(stay, i)
				continue
			}
			taken = append(taken, i)
		}
		if len(stay) == 0 {
			delete(q.partitions, p)
			continue
		}
		q.partitions[p] = stay
		q.turns = append(q.turns, p)
	}
	return taken
}

// drain removes and returns all items.
func (q *queue) drain() []item {
	var all []item
	for _, p := range q.turns {
		all = append(all, q.partitions[p]...)
	}
	*q = queue{}
	return all
}

func (q *queue) len() int {
	n := 0
	for _, items := range q.partitions {
		n += len(items)
	}
	return n
}
