package xdrtest

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/xdr"
)

// item is a place in a queue: a record that changed, or a message that is shipped
// as it is.
type item struct {
	digest  change.Digest
	lut     int64     // of the change that was queued first; 0 of a message
	after   time.Time // it is not shipped before
	frame   xdr.Frame // nil reads the record
	version Version   // of the frame
	once    bool      // not shipped again, whatever the answer
}

// queue is what a link has to ship, in a queue for each partition. Partitions
// take turns. The zero queue is empty.
type queue struct {
	partitions map[int][]item
	turns      []int // the partitions that have something
}

// add puts i behind the others of its partition. A record that waits already is
// not queued twice; add then returns false.
func (q *queue) add(i item) bool {
	p := i.digest.Partition()
	if i.frame == nil && q.waits(i.digest) {
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

// putBack puts i before the others of its partition, as add does.
func (q *queue) putBack(i item) bool {
	if !q.add(i) {
		return false
	}
	items := q.partitions[i.digest.Partition()]
	copy(items[1:], items)
	items[0] = i
	return true
}

// waits reports whether the record will be read anyway.
func (q *queue) waits(d change.Digest) bool {
	return slices.ContainsFunc(q.partitions[d.Partition()], func(i item) bool { return i.frame == nil && i.digest == d })
}

// take removes and returns at most n items that may go. What waits for one that
// may not, because it is of the same record, waits too.
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

// empty removes and returns everything.
func (q *queue) empty() []item {
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

// queue gives i to the link of its record.
func (s *Source) queue(i item) {
	l := s.linkOf(i.digest)
	if l.queue.add(i) {
		s.pending++
		l.signal()
	}
}

// linkOf returns the link that ships a record: the connector follows from the
// digest (a stand-in for the server's own function), the connection from the
// partition. Connectors that cannot be reached are left out while others can.
func (s *Source) linkOf(d change.Digest) *link {
	index := d.Partition() % len(s.links[0])
	var up, all []*link
	for _, links := range s.links {
		all = append(all, links[index])
		if !links[index].down {
			up = append(up, links[index])
		}
	}
	if len(up) == 0 {
		up = all
	}
	return up[binary.BigEndian.Uint64(d[12:])%uint64(len(up))]
}
