package replay

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/aerosink/aerosink/function/replay/objects"
)

// checkpoint is the progress of a replay, which is kept in a file. All objects whose names sort
// before Object are done.
type checkpoint struct {
	Fingerprint  string // of Options
	Since, Until time.Time
	Object       string
	Version      string
	Chunk        int  // chunks of Object that are done
	Whole        bool // Object is done

	Summary Summary // so far; of a restore, without what its index counts

	// Of a restore: how many buckets of joined updates are done, which objects it is made
	// from, and when the last of them was written.
	Folded  int       `json:",omitzero"`
	Listing string    `json:",omitzero"`
	Horizon time.Time `json:",omitzero"`

	path string // "" keeps no file
}

// openCheckpoint returns the checkpoint that an earlier run left, or a new one.
func openCheckpoint(o Options) (*checkpoint, error) {
	c := &checkpoint{Fingerprint: fingerprint(o), Since: o.Filter.Since, Until: o.Filter.Until, path: o.Checkpoint}
	if o.Checkpoint == "" {
		return c, nil
	}
	text, err := os.ReadFile(o.Checkpoint)
	if errors.Is(err, fs.ErrNotExist) {
		return c, c.write()
	}
	if err != nil {
		return nil, fmt.Errorf("read checkpoint: %w", err)
	}
	earlier := &checkpoint{path: o.Checkpoint}
	if err := json.Unmarshal(text, earlier); err != nil {
		return nil, fmt.Errorf("%s is not a checkpoint: %w; name another file", o.Checkpoint, err)
	}
	if earlier.Fingerprint != c.Fingerprint {
		return nil, fmt.Errorf("the checkpoint %s belongs to a replay with other arguments; give the same arguments, or name another file", o.Checkpoint)
	}
	return earlier, nil
}

// fingerprint identifies a replay by its arguments. The times of the filter are not part
// of it: they may be relative to now. The checkpoint keeps those of the first run.
func fingerprint(o Options) string {
	var to []string
	for _, spec := range o.To {
		to = append(to, spec.URL)
	}
	text, err := json.Marshal([]any{o.From, to, o.Filter.Namespaces, o.Filter.Sets, o.Filter.Since.IsZero(), o.Filter.Until.IsZero()})
	if err != nil {
		panic("replay: " + err.Error())
	}
	return fmt.Sprintf("%x", sha256.Sum256(text))
}

// filter returns f with the times of the first run.
func (c *checkpoint) filter(f objects.Filter) objects.Filter {
	f.Since, f.Until = c.Since, c.Until
	return f
}

// passed reports whether o was done by an earlier run.
func (c *checkpoint) passed(o objects.Object) bool {
	return o.Name < c.Object || o.Name == c.Object && o.Version == c.Version && c.Whole
}

// chunksOf returns how many chunks of o are done: none if o has changed.
func (c *checkpoint) chunksOf(o objects.Object) int {
	if o.Name == c.Object && o.Version == c.Version {
		return c.Chunk
	}
	return 0
}

// next saves that the first n chunks of o are done.
func (c *checkpoint) next(o objects.Object, n int, sum Summary) error {
	c.Object, c.Version, c.Chunk, c.Whole, c.Summary = o.Name, o.Version, n, false, sum
	return c.write()
}

// done saves that o is done.
func (c *checkpoint) done(o objects.Object, sum Summary) error {
	c.Object, c.Version, c.Whole, c.Summary = o.Name, o.Version, true, sum
	return c.write()
}

// forget makes the restore begin anew, with the objects of that listing.
func (c *checkpoint) forget(listing string, horizon time.Time) error {
	c.Object, c.Version, c.Chunk, c.Whole, c.Summary, c.Folded = "", "", 0, false, Summary{}, 0
	c.Listing, c.Horizon = listing, horizon
	return c.write()
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
		return fmt.Errorf("replay: remove checkpoint: %w", err)
	}
	return nil
}
