package store

import (
	"crypto/sha256"
	"sync"
	"time"

	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
)

// fingerprint is the SHA-256 of a change's bytes and of its digest.
type fingerprint [sha256.Size]byte

// fingerprintsOf returns the fingerprints of the changes.
func fingerprintsOf(changes []format.Parsed) []fingerprint {
	prints := make([]fingerprint, len(changes))
	hash := sha256.New()
	for i := range changes {
		hash.Reset()
		hash.Write(changes[i].Data)
		hash.Write(changes[i].Change.Digest[:])
		hash.Sum(prints[i][:0])
	}
	return prints
}

// Remembered changes are in two maps, of which the older one is dropped when the newer one
// reaches one of these limits. A change that was forgotten is stored twice at worst.
const (
	maxRemembered    = 50_000
	maxGenerationAge = 5 * time.Minute
)

// remembered has the fingerprints of changes that a target has stored and that will be sent
// again, because a request that is not answered with 200 is often repeated as a whole. While
// nothing fails, nothing is remembered. The zero value is ready to use. It is safe for
// concurrent use.
type remembered struct {
	mu         sync.Mutex
	young, old map[fingerprint]struct{}
	since      time.Time // when young was created
}

// isEmpty reports whether nothing is remembered.
func (r *remembered) isEmpty() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.young)+len(r.old) == 0
}

// among reports, for each of prints, whether it is remembered. Nil means none is.
func (r *remembered) among(prints []fingerprint) []bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.turn(time.Now())
	if len(r.young)+len(r.old) == 0 {
		return nil
	}
	var known []bool
	for i, print := range prints {
		_, young := r.young[print]
		_, old := r.old[print]
		if (young || old) && known == nil {
			known = make([]bool, len(prints))
		}
		if young || old {
			known[i] = true
		}
	}
	return known
}

// add remembers prints[i] if its verdict is nil and may(i) is true.
func (r *remembered) add(prints []fingerprint, verdicts sink.Verdicts, may func(i int) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	for i, print := range prints {
		if verdicts != nil && verdicts[i] != nil || !may(i) {
			continue
		}
		r.turn(now)
		if r.young == nil {
			r.young, r.since = map[fingerprint]struct{}{}, now
		}
		r.young[print] = struct{}{}
	}
}

// forget removes prints, whose request will not be repeated.
func (r *remembered) forget(prints []fingerprint) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, print := range prints {
		delete(r.young, print)
		delete(r.old, print)
	}
}

// turn starts a new generation if the young one is full or has reached its age, and drops
// the old one.
func (r *remembered) turn(now time.Time) {
	switch age := now.Sub(r.since); {
	case age >= 2*maxGenerationAge:
		r.young, r.old = nil, nil
	case age >= maxGenerationAge || len(r.young) >= maxRemembered:
		r.young, r.old, r.since = map[fingerprint]struct{}{}, r.young, now
	}
}
