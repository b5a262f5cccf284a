package delivertest

import (
	"maps"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
)

// Place is where changes are from.
type Place struct{ Namespace, Set string }

// Counts is what came to a Ledger.
type Counts struct {
	Requests  int
	Shipped   int // changes of all requests, also of those that failed
	Accepted  int // changes whose request, or whose line in a report, said so; those that came twice are counted twice
	Backwards int // changes that came after a newer version of their record
	Largest   int // changes of one request
}

// Counts returns what came so far.
func (l *Ledger) Counts() Counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.counts
	c.Requests = l.requests
	return c
}

// Protocols returns how many requests came over each protocol.
func (l *Ledger) Protocols() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.protocol)
}

// Places returns how many changes of each namespace and set were accepted.
func (l *Ledger) Places() map[Place]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.places)
}

// Answers returns how many requests were answered with each status.
func (l *Ledger) Answers() map[int]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.answers)
}

// Has reports whether v was accepted.
func (l *Ledger) Has(v xdrtest.Version) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.versions[v] > 0
}

// Newest returns the newest version of each record that was accepted.
func (l *Ledger) Newest() map[change.Digest]xdrtest.Version {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.newest)
}
