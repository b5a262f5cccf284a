package connector

import (
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// result is what became of a change in the end.
type result int

const (
	delivered result = iota // to all its destinations
	retried                 // to be shipped again
	dropped                 // on purpose: by routing, because it is stale, or the server's own affair
	unread                  // to be shipped again, because it could not be decoded
	buried                  // in the dead letters
	numResults
)

var resultNames = [numResults]string{"delivered", "retry", "skipped", "malformed", "dead"}

func resultOf(sl *slot, verdict error) result {
	switch {
	case verdict == nil && sl.dead.Load():
		return buried
	case sl.outcome == malformed:
		return unread
	case verdict != nil:
		return retried
	case sl.outcome == sent:
		return delivered
	}
	return dropped
}

// results counts changes by result.
type results [numResults]prometheus.Counter

// place is a namespace and set, and what became of its changes.
type place struct {
	namespace, set string
	results        results
}

// places are all namespaces and sets that changes came from.
type places struct {
	changes *prometheus.CounterVec
	nowhere *place // of what has no namespace that could be read

	mu    *sync.Mutex
	named map[[2]string]*place
}

// mostPlaces is how many namespaces and sets are counted by their names. Sets are
// what users make of them, and there may be thousands.
const mostPlaces = 200

// elsewhere is the namespace and set of all others.
const elsewhere = "(other)"

func newPlaces(changes *prometheus.CounterVec) places {
	p := places{changes: changes, mu: new(sync.Mutex), named: map[[2]string]*place{}}
	p.nowhere = &place{results: p.results("", "")}
	return p
}

// of returns the place of a namespace and set.
func (p *places) of(namespace, set string) *place {
	p.mu.Lock()
	defer p.mu.Unlock()
	names := [2]string{namespace, set}
	switch known := p.named[names]; {
	case known != nil:
		return known
	case len(p.named) >= mostPlaces:
		return &place{namespace, set, p.results(elsewhere, elsewhere)}
	}
	p.named[names] = &place{namespace, set, p.results(namespace, set)}
	return p.named[names]
}

func (p *places) results(namespace, set string) (r results) {
	for i, name := range resultNames {
		r[i] = p.changes.WithLabelValues(strings.ToValidUTF8(namespace, "\uFFFD"), strings.ToValidUTF8(set, "\uFFFD"), name)
	}
	return r
}
