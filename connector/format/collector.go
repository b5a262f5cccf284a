package format

import (
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/plural"
)

// Options are what formats.Parser, which documents them, passes to the Parse of a format's
// package. The zero Options are the defaults.
type Options struct {
	MetadataKey string           // the member that holds the metadata of flat JSON and of an Avro container file
	Bins        bool             // read the bins of JSON too; the binary formats are always read to the end
	Limits      Limits           // of one body
	Buffer      []Parsed         // memory for the result, may be nil
	Now         func() time.Time // the time of receipt; nil is time.Now

	// Digest is asked for the digest of a record whose change in JSON has none, from its
	// set and user key; it is false if there is none for such a key. Nil makes a change
	// without a digest an error.
	Digest func(set string, key change.Value) (change.Digest, bool)
}

// Collector collects the changes of one body, within the limits. A format calls Begin
// for each change, fills in its Change with names from Names, and calls End.
type Collector struct {
	Options Options      // with the defaults filled in
	Names   change.Names // of the namespaces, sets and bins in the body

	size      int // of the body and of what its parts inflated to, in bytes
	left      int // bytes that its parts may still inflate to
	minChange int // bytes that a change takes at least
	changes   []Parsed
	bins      binSlab
}

// NewCollector returns a collector for a body of size bytes, in which a change takes
// at least minChange bytes.
func NewCollector(o Options, size, minChange int) *Collector {
	o.Limits = o.Limits.withDefaults()
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Collector{Options: o, size: size, left: o.Limits.Inflated, minChange: minChange, changes: o.Buffer[:0]}
}

// Begin adds a change in the named format, which begins at offset in the body. The
// result is valid until the next call. An error concerns the whole body.
func (c *Collector) Begin(offset int, format string) (*Parsed, error) {
	if err := c.CheckCount(offset, 1); err != nil {
		return nil, err
	}
	if n := len(c.changes); n == cap(c.changes) {
		size := min(max(2*n, initialChanges), c.Options.Limits.Changes, c.maxChanges())
		c.changes = append(make([]Parsed, 0, size), c.changes...)
	}
	c.changes = append(c.changes, Parsed{Offset: offset, Format: format})
	p := &c.changes[len(c.changes)-1]
	c.bins.lend(&p.Change)
	return p, nil
}

// initialChanges is the capacity of the result when the first change is added.
const initialChanges = 16

// End finishes the change that Begin returned last. Its bytes are data; err says why
// they are not a change.
func (c *Collector) End(p *Parsed, data []byte, err error) {
	c.bins.keep(&p.Change)
	p.Data = data[:len(data):len(data)]
	if err == nil {
		err = c.checkLimits(p)
	}
	if err == nil {
		err = c.checkChange(p)
	}
	if err != nil {
		p.Err, p.Offset = err, offsetOf(err, p.Offset)
	}
}

// Changes returns the changes that were added.
func (c *Collector) Changes() []Parsed { return c.changes }

// CheckCount returns an error if the body may not hold n more changes.
func (c *Collector) CheckCount(offset int, n int64) error {
	switch {
	case n > int64(c.Options.Limits.Changes-len(c.changes)):
		return TooLargeAt(offset, "more than %s in one body", plural.Of(c.Options.Limits.Changes, "change"))
	case n > int64(c.maxChanges()-len(c.changes)):
		return ErrorAt(offset, "more changes than a body of this size can hold")
	}
	return nil
}

// maxChanges returns how many changes the body can hold. A body with more is refused as
// a whole, because an error for each of its parts would take many times the body's
// memory.
func (c *Collector) maxChanges() int { return 64 + c.size/c.minChange }

// CheckSize returns an error if a change may not have size bytes.
func (c *Collector) CheckSize(offset, size int) error {
	if limit := c.Options.Limits.Change; size > limit {
		return TooLargeAt(offset, "a change of %d bytes, the limit is %d", size, limit)
	}
	return nil
}

// TooDeep returns the error of a change whose values nest deeper than the limit.
func (c *Collector) TooDeep(offset int) error {
	return TooLargeAt(offset, "lists and maps nest deeper than %d", c.Options.Limits.Depth)
}

func (c *Collector) checkLimits(p *Parsed) error {
	limits := &c.Options.Limits
	if err := c.CheckSize(p.Offset, len(p.Data)); err != nil || limits.Depth == change.MaxDepth {
		return err
	}
	for i := range p.Change.Bins {
		if p.Change.Bins[i].Value.Depth() > limits.Depth {
			return c.TooDeep(p.Offset)
		}
	}
	return nil
}

// checkChange returns an error if a time cannot be written as a date, or two bins have one
// name.
func (c *Collector) checkChange(p *Parsed) error {
	if err := p.Change.CheckTimes(); err != nil {
		return ErrorAt(p.Offset, "%w", err)
	}
	if i := c.Names.DuplicateBin(p.Change.Bins); i >= 0 {
		return DuplicateBin(p.Offset, p.Change.Bins[i].Name)
	}
	return nil
}

// InflateLimit returns to how many bytes the parts of the body may still inflate.
func (c *Collector) InflateLimit() int { return c.left }

// CountInflated counts n bytes that a part of the body has inflated to.
func (c *Collector) CountInflated(n int) {
	c.size += n
	c.left = max(c.left-n, 0)
}

// binSlab is memory for the bins of many changes, which share one allocation.
type binSlab struct {
	free []change.Bin // of length 0; its capacity is what is left
	last int          // number of bins of the previous change
}

// The bounds of what a binSlab allocates at once, in bins.
const (
	smallBinSlab = 32
	largeBinSlab = 1024
)

// lend gives c the free bins: they are appended to c.Bins.
func (s *binSlab) lend(c *change.Change) {
	if cap(s.free) < min(s.last, largeBinSlab) {
		s.free = make([]change.Bin, 0, min(smallBinSlab*s.last, largeBinSlab))
	}
	c.Bins = s.free
}

// keep takes back the bins that c does not use.
func (s *binSlab) keep(c *change.Change) {
	n := len(c.Bins)
	s.last, s.free = n, c.Bins[n:]
	if c.Bins = c.Bins[:n:n]; n == 0 {
		c.Bins = nil
	}
}
