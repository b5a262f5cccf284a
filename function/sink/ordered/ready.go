package ordered

import "slices"

// ready has the entries that wait for a call, by group. A call takes what is there of the
// group whose turn it is, and fills up with that of the next.
type ready[E any] struct {
	groups map[int]*group[E]
	turns  []*group[E] // those with entries, in turn
}

// group is the ready entries of a group.
type group[E any] struct {
	number  int
	entries []*entry[E]
}

// push adds an entry at the end of its group.
func (r *ready[E]) push(e *entry[E]) {
	g := r.group(e.Group)
	g.entries = append(g.entries, e)
}

// pushFront adds an entry at the front of its group.
func (r *ready[E]) pushFront(e *entry[E]) {
	g := r.group(e.Group)
	g.entries = slices.Insert(g.entries, 0, e)
}

// group returns the group with this number, which has a turn.
func (r *ready[E]) group(number int) *group[E] {
	g := r.groups[number]
	if g == nil {
		if r.groups == nil {
			r.groups = map[int]*group[E]{}
		}
		g = &group[E]{number: number}
		r.groups[number] = g
		r.turns = append(r.turns, g)
	}
	return g
}

// sweep removes the entries that are finished.
func (r *ready[E]) sweep() {
	r.turns = slices.DeleteFunc(r.turns, func(g *group[E]) bool {
		g.entries = slices.DeleteFunc(g.entries, func(e *entry[E]) bool { return e.finished })
		if len(g.entries) == 0 {
			delete(r.groups, g.number)
		}
		return len(g.entries) == 0
	})
}

// take removes the entries of the next call: at most messages, and at most size bytes unless
// the first alone has more. A group that has more than fits goes behind the others, so that one
// that always has more does not keep them waiting.
func (r *ready[E]) take(messages, size int) []*entry[E] {
	var taken []*entry[E]
	for len(r.turns) > 0 && len(taken) < messages {
		g := r.turns[0]
		n := 0
		for _, e := range g.entries {
			if len(taken) == messages || len(taken) > 0 && e.Size > size {
				break
			}
			taken, size, n = append(taken, e), size-e.Size, n+1
		}
		if n < len(g.entries) {
			g.entries = g.entries[n:]
			r.turns = append(r.turns[1:], g)
			break
		}
		delete(r.groups, g.number)
		r.turns = r.turns[1:]
	}
	return taken
}
