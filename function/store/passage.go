package store

import (
	"hash/maphash"
	"slices"
	"sync"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/function/sink"
)

// passage is the way of one batch past the fence. Unless it says otherwise, an index is that of
// a change in the batch.
type passage struct {
	batch  sink.Batch
	hold   hold
	states []sink.State  // of the records, each of which is there once
	state  []int         // of each change, its index in states; or unfenced
	failed sink.Verdicts // why a state could not be read or written, by index in states

	// sequence is the changes with the versions of each record in order. Nil means that they
	// are in the order of the batch.
	sequence []int
	order    []int // the changes to publish; nil if they are those of the batch, in its order

	// What becomes of the changes that are not published. Nil means that there are none.
	stale   []bool
	refused sink.Verdicts
	same    []int // the index of another change with the same version; or itself

	advanced      []sink.State // to write
	advancedState []int        // their indexes in states
}

// unfenced is the state of a change that cannot be read or has no last update time. It is
// published whatever the fence says.
const unfenced = -1

var passages = sync.Pool{New: func() any { return new(passage) }}

// newPassage returns the passage of b, with the hashes of its records to hold.
func newPassage(b sink.Batch, seed maphash.Seed) *passage {
	p, _ := passages.Get().(*passage) // the pool holds nothing else
	p.batch = b
	for i := range b.Changes {
		c := &b.Changes[i].Change
		if b.Changes[i].Err != nil || c.LUT == 0 {
			p.state = append(p.state, unfenced)
			continue
		}
		p.state = append(p.state, len(p.states))
		p.states = append(p.states, sink.State{Namespace: c.Namespace, Digest: c.Digest})
		p.hold.records = append(p.hold.records, maphash.Bytes(seed, c.Digest[:])^maphash.String(seed, c.Namespace))
	}
	return p
}

// free returns p to the pool. Its hold must have been released.
func (p *passage) free() {
	if cap(p.state) > maxPooledChanges {
		return
	}
	clear(p.states) // the namespaces belong to the request
	clear(p.advanced)
	*p = passage{
		hold: p.hold, states: p.states[:0], state: p.state[:0],
		advanced: p.advanced[:0], advancedState: p.advancedState[:0],
	}
	passages.Put(p)
}

// maxPooledChanges is the number of changes up to which a passage is pooled. A change takes
// about 150 bytes.
const maxPooledChanges = 4096

// group gives the changes of a record one state, and puts their versions in order. Of the same
// version twice, the second is not published.
func (p *passage) group() {
	type record struct {
		namespace string
		digest    change.Digest
	}
	known := map[record]int{}
	var changes [][]int // of each state
	for i, s := range p.state {
		if s == unfenced {
			continue
		}
		state := p.states[s]
		r := record{state.Namespace, state.Digest}
		at, ok := known[r]
		if !ok {
			at = len(changes)
			known[r] = at
			changes = append(changes, nil)
			p.states[at] = state
		}
		p.state[i] = at
		changes[at] = append(changes[at], i)
	}
	p.states = p.states[:len(changes)]
	for i := range p.state {
		p.sequence = append(p.sequence, i)
		p.same = append(p.same, i)
	}
	for _, of := range changes {
		p.arrange(of)
	}
}

// arrange puts the versions of one record in order. Versions that cannot be compared stay as
// they are.
func (p *passage) arrange(changes []int) {
	sorted := slices.Clone(changes)
	version := func(n int) change.Version { return p.batch.Changes[sorted[n]].Change.Version() }
	for end := range sorted {
		for n := end; n > 0 && version(n) != version(n-1) && version(n-1).Supersedes(version(n)); n-- {
			sorted[n], sorted[n-1] = sorted[n-1], sorted[n]
		}
	}
	for n, i := range sorted {
		p.sequence[changes[n]] = i
		if n > 0 && version(n) == version(n-1) && version(n).Supersedes(version(n-1)) {
			p.same[i] = p.same[sorted[n-1]]
		}
	}
}

// drop drops a change, because it was published or a newer version of its record was.
func (p *passage) drop(i int) {
	if p.stale == nil {
		p.stale = make([]bool, len(p.batch.Changes))
	}
	p.stale[i] = true
}

// refuse does not publish a change, but gives it a verdict.
func (p *passage) refuse(i int, verdict error) {
	p.refused.Set(len(p.batch.Changes), i, verdict)
}

// choose chooses the changes to publish.
func (p *passage) choose() {
	if p.sequence == nil && p.stale == nil && p.refused == nil {
		return
	}
	p.order = make([]int, 0, len(p.batch.Changes))
	for i := range p.batch.Changes {
		if p.sequence != nil {
			i = p.sequence[i]
		}
		if p.stale != nil && p.stale[i] || p.refused != nil && p.refused[i] != nil || p.same != nil && p.same[i] != i {
			continue
		}
		p.order = append(p.order, i)
	}
}

// published returns the index of the n-th change that was published.
func (p *passage) published(n int) int {
	if p.order == nil {
		return n
	}
	return p.order[n]
}

// advance sets the states to the newest versions that are stored according to o, the outcome of
// what was published, and lists those that are to be written.
func (p *passage) advance(o *Outcome) {
	for n := range o.changes {
		i := p.published(n)
		s := p.state[i]
		if s == unfenced || p.failed != nil && p.failed[s] != nil || o.Of(n) != Stored {
			continue
		}
		if p.states[s].Advance(&p.batch.Changes[i].Change) {
			p.advancedState = append(p.advancedState, s)
		}
	}
	if p.sequence != nil { // a record may have advanced several times
		slices.Sort(p.advancedState)
		p.advancedState = slices.Compact(p.advancedState)
	}
	for _, s := range p.advancedState {
		p.advanced = append(p.advanced, p.states[s])
	}
}

// outcome returns the outcome of the batch from that of the changes that were published.
func (p *passage) outcome(published *Outcome) Outcome {
	n := len(p.batch.Changes)
	o := Outcome{changes: n, deadLetters: published.deadLetters, unfenced: published.unfenced, stale: p.stale, verdicts: p.refused}
	for at, i := range p.order {
		o.verdicts.Set(n, i, published.Err(at))
	}
	for i, other := range p.same {
		switch {
		case other == i || p.stale != nil && p.stale[i]:
		case o.Err(other) != nil:
			o.verdicts.Set(n, i, o.Err(other))
		default:
			if o.stale == nil {
				o.stale = make([]bool, n)
			}
			o.stale[i] = true
		}
	}
	return o
}
