// Package failures has what a sink remembers about changes that failed: which ones have to
// come again before others of their records ([Retries]), and how often a message was refused
// alone ([Refusals]). The sinks guard both with a lock.
package failures

import (
	"hash/maphash"
	"slices"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
)

// ID identifies a change by hashes of its record and of its bytes. Record 0 means that the
// record is unknown; such a change is never waited for.
type ID struct{ Record, Content uint64 }

var hashSeed = maphash.MakeSeed()

// Hash returns a hash of data, which is different in each process.
func Hash(data []byte) uint64 { return maphash.Bytes(hashSeed, data) }

// Content returns a hash of the contents of several changes, in their order.
func Content(ids []ID) uint64 {
	var content uint64
	for _, id := range ids {
		content = content*31 + id.Content
	}
	return content
}

// IDOf returns the ID of p.
func IDOf(p *format.Parsed) ID {
	c := &p.Change
	if c.Namespace == "" && c.Digest == (change.Digest{}) {
		return ID{Content: Hash(p.Data)}
	}
	var h maphash.Hash
	h.SetSeed(hashSeed)
	_, _ = h.Write(c.Digest[:]) // never fails
	_, _ = h.WriteString(c.Namespace)
	return ID{h.Sum64() | 1, Hash(p.Data)}
}

// Limits on the retries that a sink waits for. Retries that would exceed maxPending allow
// nothing until their pause is over.
const (
	maxPending   = 100_000 // changes, of all Retries of a sink
	maxPostponed = 32      // changes of a record, beside those that failed
)

// Retries are records that have failed changes. Nothing else of such a record is sent until
// the failed changes have come again, in order, or the pause is over.
type Retries struct {
	records     map[uint64]*pendingRetry
	changes     *int      // pending in all Retries of the sink together
	nextExpiry  time.Time // when the first record expires
	closedUntil time.Time // until then nothing is allowed, because maxPending was reached
}

// NewRetries returns empty Retries, which count in *changes how many changes are pending.
// All Retries of a sink share the counter, and a limit.
func NewRetries(changes *int) Retries { return Retries{changes: changes} }

// Records returns how many records wait for a retry, without those whose pause is over.
func (r *Retries) Records(now time.Time) int {
	r.expire(now)
	return len(r.records)
}

// pendingRetry are the changes that a record waits for.
type pendingRetry struct {
	contents []uint64 // hashes of the changes, the next one last
	expires  time.Time
}

// IsEmpty reports whether every change may be sent.
func (r *Retries) IsEmpty(now time.Time) bool {
	return len(r.records) == 0 && !now.Before(r.closedUntil)
}

// Allows reports whether the changes of a message may be sent now.
func (r *Retries) Allows(ids []ID, now time.Time) bool {
	if now.Before(r.closedUntil) {
		return false
	}
	r.expire(now)
	if len(r.records) == 0 {
		return true
	}
	seen := map[uint64]int{}
	for _, id := range ids {
		pending := r.records[id.Record]
		if pending == nil {
			continue
		}
		seen[id.Record]++
		if next := len(pending.contents) - seen[id.Record]; next >= 0 && pending.contents[next] != id.Content {
			return false
		}
	}
	return true
}

// Resolve removes the changes of a message that is being sent.
func (r *Retries) Resolve(ids []ID) {
	if len(r.records) == 0 {
		return
	}
	for _, id := range ids {
		pending := r.records[id.Record]
		if pending == nil {
			continue
		}
		pending.contents = pending.contents[:len(pending.contents)-1]
		*r.changes--
		if len(pending.contents) == 0 {
			delete(r.records, id.Record)
		}
	}
}

// Postpone appends changes that were held back to the pending changes of their records, so
// that later changes do not overtake them. It does not extend the pause.
func (r *Retries) Postpone(ids []ID) {
	for _, id := range ids {
		pending := r.records[id.Record]
		if pending != nil && len(pending.contents) < maxPostponed && !slices.Contains(pending.contents, id.Content) {
			pending.contents = slices.Insert(pending.contents, 0, id.Content)
			*r.changes++
		}
	}
}

// Expect puts failed changes, in this order, before the pending changes of their records.
func (r *Retries) Expect(ids []ID, until time.Time) {
	if r.records == nil {
		r.records = map[uint64]*pendingRetry{}
	}
	if len(r.records) == 0 {
		r.nextExpiry = until
	}
	for _, id := range slices.Backward(ids) {
		if id.Record == 0 {
			continue
		}
		if *r.changes >= maxPending {
			r.closedUntil = until
			return
		}
		pending := r.records[id.Record]
		if pending == nil {
			pending = &pendingRetry{}
			r.records[id.Record] = pending
		}
		pending.contents, pending.expires = append(pending.contents, id.Content), until
		*r.changes++
	}
}

// expire drops the records whose pause is over.
func (r *Retries) expire(now time.Time) {
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
