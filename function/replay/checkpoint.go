package replay

import (
	"fmt"
	"time"

	"github.com/aerosink/aerosink/function/replay/checkpointfile"
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
	earlier := &checkpoint{path: c.path}
	found, err := checkpointfile.Load(c.path, earlier)
	if err != nil {
		return nil, err
	}
	if !found {
		return c, c.write()
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
	return checkpointfile.Fingerprint(o.From, to, o.Filter.Namespaces, o.Filter.Sets, o.Filter.Since.IsZero(), o.Filter.Until.IsZero())
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

func (c *checkpoint) write() error { return checkpointfile.Save(c.path, c) }

func (c *checkpoint) remove() error { return checkpointfile.Remove(c.path) }
