package pubsub

import (
	"hash/maphash"
	"slices"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
)

// changeID identifies a change by hashes of its record and of its bytes. Record 0 means
// that the record is unknown; such a change is never waited for.
type changeID struct{ record, content uint64 }

var hashSeed = maphash.MakeSeed()

// idOf returns the ID of p, the zero changeID if its record is unknown.
func idOf(p *format.Parsed) changeID {
	c := &p.Change
	if c.Namespace == "" && c.Digest == (change.Digest{}) {
		return changeID{}
	}
	var h maphash.Hash
	h.SetSeed(hashSeed)
	_, _ = h.Write(c.Digest[:]) // never fails
	_, _ = h.WriteString(c.Namespace)
	return changeID{h.Sum64() | 1, maphash.Bytes(hashSeed, p.Data)}
}

// Limits on the retries that a publisher waits for. A lane that would exceed
// maxPendingRetries accepts nothing until its pause is over.
const (
	maxPendingRetries = 100_000 // changes, of all lanes
	maxPostponed      = 32      // changes of a record, beside those that failed
)

// pendingRetries are the records of a lane that have failed changes. Nothing else of
// such a record is published until the failed changes have come again, in order, or the
// pause is over. The publisher's lock guards it.
type pendingRetries struct {
	records     map[uint64]*pendingRetry
	changes     *int      // pending in all lanes together
	nextExpiry  time.Time // when the first record expires
	closedUntil time.Time // until then the lane takes nothing, because maxPendingRetries was reached
}

// pendingRetry are the changes that a record waits for.
type pendingRetry struct {
	contents []uint64 // hashes of the changes, the next one last
	expires  time.Time
}

// isEmpty reports whether every change may be published.
func (r *pendingRetries) isEmpty(now time.Time) bool {
	return len(r.records) == 0 && !now.Before(r.closedUntil)
}

// allows reports whether the changes of a message may be published now.
func (r *pendingRetries) allows(ids []changeID, now time.Time) bool {
	if now.Before(r.closedUntil) {
		return false
	}
	r.expire(now)
	if len(r.records) == 0 {
		return true
	}
	seen := map[uint64]int{}
	for _, id := range ids {
		pending := r.records[id.record]
		if pending == nil {
			continue
		}
		seen[id.record]++
		if next := len(pending.contents) - seen[id.record]; next >= 0 && pending.contents[next] != id.content {
			return false
		}
	}
	return true
}

// resolve removes the changes of a message that is being published.
func (r *pendingRetries) resolve(ids []changeID) {
	if len(r.records) == 0 {
		return
	}
	for _, id := range ids {
		pending := r.records[id.record]
		if pending == nil {
			continue
		}
		pending.contents = pending.contents[:len(pending.contents)-1]
		*r.changes--
		if len(pending.contents) == 0 {
			delete(r.records, id.record)
		}
	}
}

// postpone appends changes that were held back to the pending changes of their records, so
// that later changes do not overtake them. It does not extend the pause.
func (r *pendingRetries) postpone(ids []changeID) {
	for _, id := range ids {
		pending := r.records[id.record]
		if pending != nil && len(pending.contents) < maxPostponed && !slices.Contains(pending.contents, id.content) {
			pending.contents = slices.Insert(pending.contents, 0, id.content)
			*r.changes++
		}
	}
}

// expect puts failed changes, in this order, before the pending changes of their records.
func (r *pendingRetries) expect(ids []changeID, until time.Time) {
	if r.records == nil {
		r.records = map[uint64]*pendingRetry{}
	}
	if len(r.records) == 0 {
		r.nextExpiry = until
	}
	for _, id := range slices.Backward(ids) {
		if id.record == 0 {
			continue
		}
		if *r.changes >= maxPendingRetries {
			r.closedUntil = until
			return
		}
		pending := r.records[id.record]
		if pending == nil {
			pending = &pendingRetry{}
			r.records[id.record] = pending
		}
		pending.contents, pending.expires = append(pending.contents, id.content), until
		*r.changes++
	}
}

// expire drops the records whose pause is over.
func (r *pendingRetries) expire(now time.Time) {
	if len(r.records) == 0 || now.Before(r.nextExpiry) {
		return
	}
	var next time.Time
	for record, pending := range r.records {
		switch {
		case !now.Before(pending.expires):
			*r.changes -= len(pending.contents)
			delete(r.records, record)
		case next.IsZero() || pending.expires.Before(next):
			next = pending.expires
		}
	}
	r.nextExpiry = next
}
