package ordered

import (
	"slices"

	"github.com/aerosink/aerosink/function/sink/failures"
)

// records has the unfinished entries of each record, in the order in which they were put.
// Only the first of a record may be sent.
type records[E any] map[uint64]line[E]

// line is the unfinished entries of a record.
type line[E any] struct {
	first  *entry[E]
	others []*entry[E]
}

func (l *line[E]) last() *entry[E] {
	if n := len(l.others); n > 0 {
		return l.others[n-1]
	}
	return l.first
}

// add adds an entry at the end of the lines of its records.
func (r records[E]) add(e *entry[E]) {
	for _, id := range e.IDs {
		if id.Record == 0 {
			continue
		}
		l, ok := r[id.Record]
		switch {
		case !ok:
			l.first = e
		case l.last() == e: // another change of the record in the same message
			continue
		default:
			l.others = append(l.others, e)
			e.behind++
		}
		r[id.Record] = l
	}
}

// remove removes an entry, which is the first of all its records, and calls next for each
// entry that becomes the first of all its records by that.
func (r records[E]) remove(e *entry[E], next func(*entry[E])) {
	for _, id := range e.IDs {
		l, ok := r[id.Record]
		if !ok || l.first != e {
			continue
		}
		if len(l.others) == 0 {
			delete(r, id.Record)
			continue
		}
		l.first, l.others = l.others[0], l.others[1:]
		r[id.Record] = l
		l.first.behind--
		if l.first.behind == 0 {
			next(l.first)
		}
	}
}

// behind returns all entries behind e, directly or through others, in the order in which they
// were put.
func (r records[E]) behind(e *entry[E]) []*entry[E] {
	if !r.isFollowed(e) {
		return nil
	}
	all, known := []*entry[E]{e}, map[*entry[E]]bool{e: true}
	for i := 0; i < len(all); i++ {
		for _, id := range all[i].IDs {
			l := r[id.Record]
			for _, other := range l.after(all[i]) {
				if !known[other] {
					known[other] = true
					all = append(all, other)
				}
			}
		}
	}
	slices.SortFunc(all, inOrder)
	return all[1:]
}

// isFollowed reports whether an entry is not the last of all its records.
func (r records[E]) isFollowed(e *entry[E]) bool {
	return slices.ContainsFunc(e.IDs, func(id failures.ID) bool {
		l, ok := r[id.Record]
		return ok && l.last() != e
	})
}

// after returns the entries behind e.
func (l *line[E]) after(e *entry[E]) []*entry[E] {
	if l.first == e {
		return l.others
	}
	return l.others[slices.Index(l.others, e)+1:]
}

// removeLast removes an entry, which is the last of all its records.
func (r records[E]) removeLast(e *entry[E]) {
	for _, id := range e.IDs {
		l, ok := r[id.Record]
		switch {
		case !ok || l.last() != e: // removed already, for another change of the record
		case l.first == e:
			delete(r, id.Record)
		default:
			l.others = l.others[:len(l.others)-1]
			r[id.Record] = l
		}
	}
}
