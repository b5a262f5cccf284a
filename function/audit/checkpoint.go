package audit

import (
	"fmt"
	"time"

	"github.com/aerosink/aerosink/function/replay/checkpointfile"
)

// checkpoint is the progress of an audit, which is kept in a file. The partitions below Next
// were compared.
type checkpoint struct {
	Fingerprint string // of Options
	Begun       time.Time
	Absent      time.Time // when a record was last found to be gone
	Next        int
	Summary     Summary // so far

	PendingSize  int64 // of the file of pending findings, which lies beside this one
	PendingCount int64

	path string // "" keeps no file
}

// openCheckpoint returns the checkpoint that an earlier run left, or a new one of an audit
// that begins now.
func openCheckpoint(o *Options, now time.Time) (*checkpoint, error) {
	c := &checkpoint{Fingerprint: fingerprint(o), Begun: now, path: o.Checkpoint}
	c.Summary.Since, c.Summary.Watermark = o.Since, now.Add(-o.Margin).Truncate(time.Millisecond)
	earlier := &checkpoint{path: c.path}
	found, err := checkpointfile.Load(c.path, earlier)
	if err != nil {
		return nil, err
	}
	if !found {
		return c, c.write()
	}
	if earlier.Fingerprint != c.Fingerprint {
		return nil, fmt.Errorf("the checkpoint %s belongs to an audit with other arguments; give the same arguments, or name another file", c.path)
	}
	return earlier, nil
}

// fingerprint identifies an audit by its arguments. Since is not part of it: it may be
// relative to now. The checkpoint keeps that of the first run.
func fingerprint(o *Options) string {
	return checkpointfile.Fingerprint(o.From, o.Against.Address(), o.Against.Namespace, o.Against.Set, o.Since.IsZero(), o.Ignore, o.Exact, o.Margin, o.Tolerance)
}

// done saves that the partitions below next are done, and what is suspected in them.
func (c *checkpoint) done(next int, p *pending) error {
	c.Next, c.PendingSize, c.PendingCount = next, p.size, p.n
	if c.path == "" {
		return nil
	}
	if err := p.flush(); err != nil {
		return err
	}
	return c.write()
}

// pendingPath returns the path of the file of pending findings, "" for a temporary one.
func (c *checkpoint) pendingPath() string {
	if c.path == "" {
		return ""
	}
	return c.path + ".suspects"
}

func (c *checkpoint) write() error { return checkpointfile.Save(c.path, c) }

func (c *checkpoint) remove() error { return checkpointfile.Remove(c.path) }
