package pubsub

import (
	"hash/maphash"
	"slices"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
)

// mark tells a change from others: whose it is, and what it says. The record 0
// owes nothing.
type mark struct{ record, content uint64 }

var seed = maphash.MakeSeed()

// markOf returns the mark of p, which has none where it is not known whose it is.
func markOf(p *format.Parsed) mark {
	c := &p.Change
	if c.Namespace == "" && c.Digest == (change.Digest{}) {
		return mark{}
	}
	var h maphash.Hash
	h.SetSeed(seed)
	_, _ = h.Write(c.Digest[:]) // never fails
	_, _ = h.WriteString(c.Namespace)
	return mark{h.Sum64() | 1, maphash.Bytes(seed, p.Data)}
}

// What the debts of a publisher may grow to. A lane that would need more takes
// nothing at all until its pause is over.
const (
	mostOwed    = 100_000 // changes
	mostWaiting = 32      // changes of a record, beside those that failed
)

// debts are the records of a lane whose changes failed: these come first when they
// come again.
type debts struct {
	records map[uint64]*owed
	changes *int      // owed by all lanes together
	sweep   time.Time // when some may be forgotten
	shut    time.Time // until when the lane takes nothing, for want of room
}

// owed is what a record owes until it came again, or the time is over.
type owed struct {
	contents []uint64 // the next one last
	until    time.Time
}

// none reports whether all changes may be published.
func (d *debts) none(now time.Time) bool { return len(d.records) == 0 && !now.Before(d.shut) }

// due reports whether the changes of a message may be published now.
func (d *debts) due(marks []mark, now time.Time) bool {
	if now.Before(d.shut) {
		return false
	}
	d.forget(now)
	if len(d.records) == 0 {
		return true
	}
	seen := map[uint64]int{}
	for _, m := range marks {
		o := d.records[m.record]
		if o == nil {
			continue
		}
		seen[m.record]++
		if next := len(o.contents) - seen[m.record]; next >= 0 && o.contents[next] != m.content {
			return false
		}
	}
	return true
}

// pay takes the changes of a message that is due off the debts.
func (d *debts) pay(marks []mark) {
	if len(d.records) == 0 {
		return
	}
	for _, m := range marks {
		o := d.records[m.record]
		if o == nil {
			continue
		}
		o.contents = o.contents[:len(o.contents)-1]
		*d.changes--
		if len(o.contents) == 0 {
			delete(d.records, m.record)
		}
	}
}

// wait notes that changes of records that owe were refused, so that none that come
// after them overtake them either. The time when all is forgotten stays.
func (d *debts) wait(marks []mark) {
	for _, m := range marks {
		o := d.records[m.record]
		if o != nil && len(o.contents) < mostWaiting && !slices.Contains(o.contents, m.content) {
			o.contents = slices.Insert(o.contents, 0, m.content)
			*d.changes++
		}
	}
}

// owe notes that changes have failed, in this order, and before what their records
// owe already.
func (d *debts) owe(marks []mark, until time.Time) {
	if d.records == nil {
		d.records = map[uint64]*owed{}
	}
	if len(d.records) == 0 {
		d.sweep = until
	}
	for _, m := range slices.Backward(marks) {
		if m.record == 0 {
			continue
		}
		if *d.changes >= mostOwed {
			d.shut = until
			return
		}
		o := d.records[m.record]
		if o == nil {
			o = &owed{}
			d.records[m.record] = o
		}
		o.contents, o.until = append(o.contents, m.content), until
		*d.changes++
	}
}

// forget forgets what has been owed for too long.
func (d *debts) forget(now time.Time) {
	if len(d.records) == 0 || now.Before(d.sweep) {
		return
	}
	var next time.Time
	for record, o := range d.records {
		switch {
		case !now.Before(o.until):
			*d.changes -= len(o.contents)
			delete(d.records, record)
		case next.IsZero() || o.until.Before(next):
			next = o.until
		}
	}
	d.sweep = next
}
