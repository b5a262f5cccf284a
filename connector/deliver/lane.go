package deliver

import (
	"sync"
	"time"
)

// lane is a queue of batches, of which one at a time is in flight.
type lane struct {
	index int
	wake  chan struct{} // has room for one signal: look again

	mu     sync.Mutex
	queue  []*batch // in the order of arrival; only the last still takes parcels
	closed bool
}

// batch is what one request carries.
type batch struct {
	stream  *Stream
	born    time.Time
	records []byte
	items   []item
}

type item struct {
	end      int // of the item's record in records
	deadline time.Time
	to       Recipient
}

func (b *batch) fits(p *Parcel) bool {
	return b.stream == p.Stream && !b.full()
}

func (b *batch) full() bool {
	return len(b.items) >= b.stream.MaxRecords || len(b.records) >= b.stream.MaxBytes
}

// add queues p, unless the lane is closed.
func (l *lane) add(p Parcel) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	var b *batch
	if n := len(l.queue); n > 0 && l.queue[n-1].fits(&p) {
		b = l.queue[n-1]
	} else {
		b = &batch{stream: p.Stream, born: time.Now()}
		l.queue = append(l.queue, b)
	}
	b.records = append(b.records, p.Record...)
	b.items = append(b.items, item{end: len(b.records), deadline: p.Deadline, to: p.To})
	if len(b.items) == 1 || b.full() {
		l.signal()
	}
	return true
}

func (l *lane) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.signal()
}

func (l *lane) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run sends batch after batch, until the lane is closed and empty.
func (l *lane) run(d *Destination) {
	for {
		b, wait, closed := l.next()
		switch {
		case b != nil:
			d.send(l.index, b)
		case closed:
			return
		case wait > 0:
			l.sleep(wait)
		default:
			<-l.wake
		}
	}
}

// next takes the batch to be sent now. Without one it says how long to wait for
// more parcels, 0 when there are none at all.
func (l *lane) next() (b *batch, wait time.Duration, closed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 {
		return nil, 0, l.closed
	}
	b = l.queue[0]
	if len(l.queue) == 1 && !b.full() && !l.closed {
		if wait := b.stream.Interval - time.Since(b.born); wait > 0 {
			return nil, wait, false
		}
	}
	l.queue[0] = nil
	l.queue = l.queue[1:]
	return b, 0, false
}

func (l *lane) sleep(wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.wake:
	}
}

// send makes one request of b and tells every recipient.
func (d *Destination) send(laneIndex int, b *batch) {
	now := time.Now()
	deadline := d.drop(b, now)
	if len(b.items) == 0 {
		return
	}
	body, mediaType := b.stream.Envelope.Seal(b.records, len(b.items))
	if call := now.Add(d.config.CallTimeout); call.Before(deadline) {
		deadline = call
	}
	each, err := d.client.post(request{lane: laneIndex, body: body, mediaType: mediaType, deadline: deadline, changes: len(b.items)})
	for n, i := range b.items {
		if each != nil {
			err = each[n]
		}
		d.settle(i.to, err)
	}
}

// drop settles the items for which no time is left, takes their records out of b,
// and returns the latest deadline of the others.
func (d *Destination) drop(b *batch, now time.Time) (latest time.Time) {
	kept, end, start := b.items[:0], 0, 0
	for _, i := range b.items {
		record := b.records[start:i.end]
		start = i.end
		if !now.Before(i.deadline) {
			d.settle(i.to, errTooLate)
			continue
		}
		end += copy(b.records[end:], record)
		i.end = end
		kept = append(kept, i)
		if i.deadline.After(latest) {
			latest = i.deadline
		}
	}
	b.items, b.records = kept, b.records[:end]
	return latest
}
