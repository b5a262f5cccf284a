package newest

import "slices"

// chain is the changes that the newest state of a record is made of, from the oldest to the
// newest: a base and the updates after it, or only updates if the archive has no base.
type chain []entry

// of returns the chain of a record's changes, which are in the order of Index.compare. It uses
// the memory of c.
func (c chain) of(changes []entry) chain {
	c = c[:0]
	for i := range changes {
		c = c.add(changes[i])
	}
	return c
}

// add adds a change to the chain of its record. Changes must come by LUT and, of those with
// the same LUT, in the order in which they reached the archive.
// Only the first change of a chain is a base.
//
// Of changes with the same LUT the generation tells which is newer, see
// [change.Version.Supersedes]. Where it does not, because it is unknown, or the record was
// deleted and created again within a millisecond, the one that reached the archive later is
// taken for the newer. The database ships the versions of a record in order.
func (c chain) add(e entry) chain {
	at := len(c)
	for at > 0 && c[at-1].lut == e.lut && c[at-1].version().Supersedes(e.version()) {
		at--
		if c[at].version() == e.version() {
			c[at] = e // a repeat
			return c
		}
	}
	switch {
	case at < len(c) && c[at].isBase():
		return c // older than the base
	case e.isBase():
		return slices.Replace(c, 0, at, e)
	}
	return slices.Insert(c, at, e)
}

// newest returns the newest change.
func (c chain) newest() *entry { return &c[len(c)-1] }

// isWhole reports whether the chain has all bins of the record. Updates alone have them if the
// first has created the record.
func (c chain) isWhole() bool { return c[0].isBase() || c[0].generation == 1 }

// parts returns the changes whose bins are needed: all but a delete before them.
func (c chain) parts() []entry {
	if len(c) > 1 && c[0].op.IsDelete() {
		return c[1:]
	}
	return c
}
