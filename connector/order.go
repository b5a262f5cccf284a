package connector

import (
	"sync"
	"time"

	"github.com/aerosink/aerosink/connector/change"
)

// order keeps the newest version of each record that was sent lately, so that no
// older one is sent after it. It forgets what is older than its TTL, and earlier
// when more records change in that time than its bound has room for.
type order struct {
	ttl    time.Duration
	shards [orderShards]orderShard
}

const orderShards = 64

// entryBytes is what one record takes up, measured on maps of a hundred thousand.
const entryBytes = 100

// orderShard has its own share of the records. Whoever claims a version holds the
// shard until the change is in its lanes, so that two sessions cannot pass each
// other between the two.
type orderShard struct {
	sync.Mutex
	young, old map[record]int64 // LUTs
	turned     time.Time        // when young was begun
	most       int              // in each of the two
}

type record struct {
	namespace string
	digest    change.Digest
}

func newOrder(ttl time.Duration, bytes int) *order {
	o := &order{ttl: ttl}
	for i := range o.shards {
		o.shards[i] = orderShard{
			young: map[record]int64{}, old: map[record]int64{}, turned: time.Now(),
			most: max(bytes/entryBytes/orderShards/2, 1),
		}
	}
	return o
}

// shard returns the shard of a record, for the caller to lock.
func (o *order) shard(d change.Digest) *orderShard { return &o.shards[d.Partition()%orderShards] }

// claim reports whether c is at least as new as all that was claimed of its
// record, and makes it the newest. A change without a LUT always is.
func (o *order) claim(s *orderShard, c *change.Change, now time.Time) bool {
	if c.LUT == 0 {
		return true
	}
	s.turn(now, o.ttl)
	key := record{c.Namespace, c.Digest}
	newest, ok := s.young[key]
	if !ok {
		newest = s.old[key]
	}
	if c.LUT < newest {
		return false
	}
	s.young[key] = c.LUT
	return true
}

// turn forgets the old half once the young one is as old as the TTL, or full.
func (s *orderShard) turn(now time.Time, ttl time.Duration) {
	if age := now.Sub(s.turned); age >= ttl || len(s.young) >= s.most {
		s.young, s.old, s.turned = make(map[record]int64, len(s.young)/2), s.young, now
		if age >= 2*ttl {
			s.old = nil
		}
	}
}

// records returns how many are known.
func (o *order) records() int {
	n := 0
	for i := range o.shards {
		s := &o.shards[i]
		s.Lock()
		n += len(s.young) + len(s.old)
		s.Unlock()
	}
	return n
}
