package audit

import "github.com/aerosink/aerosink/connector/change"

// pair is a record as the archive has it, and as the database has it. One of them may be
// nil.
type pair struct {
	State  *State
	Record *Record
}

func (p *pair) digest() change.Digest {
	if p.State != nil {
		return p.State.Digest
	}
	return p.Record.Digest
}

func (p *pair) set() string {
	if p.State != nil {
		return p.State.Set
	}
	return p.Record.Set
}

// clone returns a copy that shares nothing with p.
func (p pair) clone() pair {
	if p.State != nil {
		state := *p.State
		p.State = &state
	}
	if p.Record != nil {
		record := *p.Record
		p.Record = &record
	}
	return p
}
