package newest

// Counts counts what an index was made of.
type Counts struct {
	Objects     int   // objects read
	Bytes       int64 // their bytes, as stored
	Changes     int   // changes in the index
	DeadLetters int   // of Changes, those from dead letters
	LeftOut     int   // changes that the filter left out
	Unreadable  int   // lines that are not changes
	NoBytes     int   // dead letters without the bytes of their change
	Damaged     int   // objects that are damaged or gone
	PassedOver  int   // objects that are not part of an archive
	RuledOut    int   // objects that the filter ruled out by their path
}

// plus returns the sum of both.
func (c Counts) plus(d Counts) Counts {
	return Counts{
		c.Objects + d.Objects, c.Bytes + d.Bytes, c.Changes + d.Changes, c.DeadLetters + d.DeadLetters, c.LeftOut + d.LeftOut,
		c.Unreadable + d.Unreadable, c.NoBytes + d.NoBytes, c.Damaged + d.Damaged, c.PassedOver + d.PassedOver, c.RuledOut + d.RuledOut,
	}
}

// Incomplete reports whether the archive has changes that the index lacks, because they
// cannot be read.
func (c Counts) Incomplete() bool { return c.Unreadable+c.NoBytes+c.Damaged > 0 }
