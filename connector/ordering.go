package connector

import (
	"sync"
	"time"

	"github.com/aerosink/aerosink/connector/change"
)

// ordering remembers the newest version of each recently sent record, so that no older one
// is sent after it. It forgets a record when its TTL has passed, or earlier if more records
// change in that time than its memory allows.
type ordering struct {
	ttl    time.Duration
	shards [orderingShards]orderingShard
}

const orderingShards = 64

// recordBytes is the memory that one record takes, measured on maps of 100,000.
const recordBytes = 100

// orderingShard holds part of the records. A caller of claim must keep the shard locked
// until the change is in its lanes; otherwise another session could send a newer version
// before it.
type orderingShard struct {
	sync.Mutex
	young, old map[recordKey]int64 // LUTs
	turned     time.Time           // when young was started
	max        int                 // records in each map
}

type recordKey struct {
	namespace string
	digest    change.Digest
}

func newOrdering(ttl time.Duration, bytes int) *ordering {
	o := &ordering{ttl: ttl}
	for i := range o.shards {
		o.shards[i] = orderingShard{
			young: map[recordKey]int64{}, old: map[recordKey]int64{}, turned: time.Now(),
			max: max(bytes/recordBytes/orderingShards/2, 1),
		}
	}
	return o
}

// shard returns the shard of a record, for the caller to lock.
func (o *ordering) shard(d change.Digest) *orderingShard {
	return &o.shards[d.Partition()%orderingShards]
}

// claim reports whether c is at least as new as every claimed version of its record, and
// makes it the newest. A change without a LUT always is.
func (s *orderingShard) claim(c *change.Change, now time.Time, ttl time.Duration) bool {
	if c.LUT == 0 {
		return true
	}
	s.turn(now, ttl)
	key := recordKey{c.Namespace, c.Digest}
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

// turn drops old and starts a new young map when young is as old as the TTL, or full.
func (s *orderingShard) turn(now time.Time, ttl time.Duration) {
	if age := now.Sub(s.turned); age >= ttl || len(s.young) >= s.max {
		s.young, s.old, s.turned = make(map[recordKey]int64, len(s.young)/2), s.young, now
		if age >= 2*ttl {
			s.old = nil
		}
	}
}

// records returns how many records are remembered.
func (o *ordering) records() int {
	n := 0
	for i := range o.shards {
		s := &o.shards[i]
		s.Lock()
		n += len(s.young) + len(s.old)
		s.Unlock()
	}
	return n
}
