package audit

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
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
	if c.path == "" {
		return c, nil
	}
	text, err := os.ReadFile(c.path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, c.write()
	}
	if err != nil {
		return nil, fmt.Errorf("read checkpoint: %w", err)
	}
	earlier := &checkpoint{path: c.path}
	if err := json.Unmarshal(text, earlier); err != nil {
		return nil, fmt.Errorf("%s is not a checkpoint: %w; name another file", c.path, err)
	}
	if earlier.Fingerprint != c.Fingerprint {
		return nil, fmt.Errorf("the checkpoint %s belongs to an audit with other arguments; give the same arguments, or name another file", c.path)
	}
	return earlier, nil
}

// fingerprint identifies an audit by its arguments. Since is not part of it: it may be
// relative to now. The checkpoint keeps that of the first run.
func fingerprint(o *Options) string {
	text, err := json.Marshal([]any{o.From, o.Against.Address(), o.Against.Namespace, o.Against.Set, o.Since.IsZero(), o.Ignore, o.Exact, o.Margin, o.Tolerance})
	if err != nil {
		panic("audit: " + err.Error())
	}
	return fmt.Sprintf("%x", sha256.Sum256(text))
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

// write replaces the file in one step, so that it is complete at every moment.
func (c *checkpoint) write() error {
	if c.path == "" {
		return nil
	}
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return fmt.Errorf("write checkpoint: %w", err)
	}
	file, err := os.CreateTemp(filepath.Dir(c.path), filepath.Base(c.path)+".*")
	if err != nil {
		return fmt.Errorf("write checkpoint: %w", err)
	}
	_, err = file.Write(append(text, '\n'))
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), c.path)
	}
	if err != nil {
		return fmt.Errorf("write checkpoint: %w", errors.Join(err, os.Remove(file.Name())))
	}
	return nil
}

// remove removes the file.
func (c *checkpoint) remove() error {
	if c.path == "" {
		return nil
	}
	if err := os.Remove(c.path); err != nil {
		return fmt.Errorf("remove checkpoint: %w", err)
	}
	return nil
}
