package deliver

// load is what one request carries, of one lane or of several, and holds these
// until all of it is settled.
type load struct {
	lanes          []*lane
	parts          []*batch // of the lanes, until they are merged
	records, bytes int      // of all parts

	batches []*batch // in the order in which they are to be sent: one, or what is left of one that was refused
}

// fits reports whether b may be carried with what the load has.
func (l *load) fits(b *batch) bool {
	if len(l.parts) == 0 {
		return true
	}
	s := l.parts[0].stream
	return b.stream == s && l.records+len(b.items) <= s.MaxRecords && l.bytes+len(b.records) <= s.MaxBytes
}

func (l *load) full() bool {
	if len(l.parts) == 0 {
		return false
	}
	s := l.parts[0].stream
	return l.records >= s.MaxRecords || l.bytes >= s.MaxBytes
}

// board adds the first batch of a lane.
func (l *load) board(from *lane, b *batch) {
	l.lanes = append(l.lanes, from)
	l.parts = append(l.parts, b)
	l.records += len(b.items)
	l.bytes += len(b.records)
}

// merge makes one batch of the parts of a new load.
func (l *load) merge() {
	if len(l.parts) == 0 {
		return
	}
	whole, others := l.parts[0], l.parts[1:]
	whole.grow(l.records, l.bytes)
	for _, b := range others {
		whole.join(b)
		b.free()
	}
	l.parts, l.batches = nil, []*batch{whole}
}

// next takes out the batch that is to be sent now.
func (l *load) next() *batch {
	b := l.batches[0]
	l.batches = l.batches[1:]
	return b
}

// sweep takes out what is not worth sending, as that of a lane does.
func (l *load) sweep(out []settlement, refusal refusal) []settlement {
	l.batches, out = sweep(l.batches, out, refusal)
	return out
}
