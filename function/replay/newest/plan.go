package newest

import (
	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/function/replay/objects"
)

// Need says what a change is needed for.
type Need uint8

const (
	NotNeeded  Need = iota
	NeedAlone       // the change is the newest state of its record, or deletes it
	NeedUpdate      // one of the updates of a record that the archive does not have as a whole
	NeedPart        // one of the changes that are the whole record together
)

// Plan says which changes of the archive the newest states of its records are made of. It
// takes 2 bits of memory for each change that was read.
type Plan struct {
	Objects []PlannedObject // all that were read, sorted by name; those of the index

	Records int // whose newest state is not a delete
	Deletes int // records whose newest state is a delete
	Updates int // of Records, those of which the archive has only updates
	Changes int // that are needed

	index *Index
}

// PlannedObject is an object of the index, and says which of its changes are needed.
type PlannedObject struct {
	objects.Object
	Entries int  // changes, and lines that are not changes, that were read
	Damaged bool // not everything could be read
	Alone   int  // changes that are needed alone
	Parts   int  // changes that are needed together with others

	needs []uint64 // 2 bits for each entry; nil if none is needed
}

// bits is how many bits a Need takes, and perWord how many of them are in a word.
const (
	bits    = 2
	perWord = 64 / bits
)

// Need returns what an entry is needed for, by its place in the object, from 0.
func (o *PlannedObject) Need(ordinal int) Need {
	if ordinal/perWord >= len(o.needs) {
		return NotNeeded
	}
	return Need(o.needs[ordinal/perWord] >> (ordinal % perWord * bits) & (1<<bits - 1))
}

func (o *PlannedObject) set(ordinal int, n Need) {
	if o.needs == nil {
		o.needs = make([]uint64, (o.Entries+perWord-1)/perWord)
	}
	o.needs[ordinal/perWord] |= uint64(n) << (ordinal % perWord * bits)
	if n == NeedAlone {
		o.Alone++
	} else {
		o.Parts++
	}
}

// Plan returns the plan of the newest states. There is one plan of an index: another call
// makes it again.
func (x *Index) Plan() (*Plan, error) {
	p := &Plan{index: x, Objects: x.objects}
	for i := range p.Objects {
		o := &p.Objects[i]
		o.Alone, o.Parts, o.needs = 0, 0, nil
	}
	for c, err := range x.chains() {
		if err != nil {
			return nil, err
		}
		p.add(c)
	}
	return p, nil
}

// add adds the changes of a record.
func (p *Plan) add(c chain) {
	need := NeedPart
	switch {
	case c.newest().op.IsDelete():
		p.Deletes++
		need = NeedAlone
	case !c.isWhole():
		p.Records++
		p.Updates++
		need = NeedUpdate
	default:
		p.Records++
		if len(c) == 1 && c[0].mode == change.Replace {
			need = NeedAlone
		}
	}
	parts := c.parts()
	for i := range parts {
		p.Objects[parts[i].object].set(int(parts[i].ordinal), need)
	}
	p.Changes += len(parts)
}
