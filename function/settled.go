package function

import (
	"crypto/sha256"
	"sync"
	"time"

	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
)

// A request that was not answered with 200 comes again, and often as a whole: most
// senders know nothing of reports, and where several sinks were asked some may have
// what another has not. So a place remembers what it has of such a request, and is
// not given it a second time. While nothing fails nothing is remembered.

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

// What is remembered is bounded: what is forgotten is stored twice at worst. Each
// generation lives at most so long, and there are two.
const (
	settledChanges = 50_000
	settledAge     = 5 * time.Minute
)

// settled are the fingerprints of changes that a place has, although the requests
// that brought them will come again. The zero settled is ready.
type settled struct {
	mu         sync.Mutex
	young, old map[fingerprint]struct{}
	since      time.Time // when young began
}

// isEmpty reports whether nothing is remembered.
func (s *settled) isEmpty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.young)+len(s.old) == 0
}

// among reports for each of prints whether it is remembered. Nil means none.
func (s *settled) among(prints []fingerprint) []bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.age(time.Now())
	if len(s.young)+len(s.old) == 0 {
		return nil
	}
	var known []bool
	for i, print := range prints {
		_, young := s.young[print]
		_, old := s.old[print]
		if (young || old) && known == nil {
			known = make([]bool, len(prints))
		}
		if young || old {
			known[i] = true
		}
	}
	return known
}

// remember adds those of prints that verdicts says are stored and may says are
// worth it.
func (s *settled) remember(prints []fingerprint, verdicts sink.Verdicts, may func(i int) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for i, print := range prints {
		if verdicts != nil && verdicts[i] != nil || !may(i) {
			continue
		}
		s.age(now)
		if s.young == nil {
			s.young, s.since = map[fingerprint]struct{}{}, now
		}
		s.young[print] = struct{}{}
	}
}

// forget drops prints, whose request will not come again.
func (s *settled) forget(prints []fingerprint) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, print := range prints {
		delete(s.young, print)
		delete(s.old, print)
	}
}

// age begins a generation when the young are too many or too long there, and drops
// the one before.
func (s *settled) age(now time.Time) {
	switch grown := now.Sub(s.since); {
	case grown >= 2*settledAge:
		s.young, s.old = nil, nil
	case grown >= settledAge || len(s.young) >= settledChanges:
		s.young, s.old, s.since = map[fingerprint]struct{}{}, s.young, now
	}
}
