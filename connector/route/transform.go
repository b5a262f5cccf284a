package route

import (
	"fmt"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/aerosink/aerosink/connector/change"
)

// Transforms says which bins of a change are kept, and how they are renamed.
type Transforms struct {
	Include, Exclude Selection // a bin is kept if it is included and not excluded
	Renames          map[string]string
	Steps            []Step // applied in order to bins that are not in Renames
}

// Selection selects bins by name. The zero Selection selects none.
type Selection struct {
	All   bool
	Names []string // if not All
}

// Step returns the new name of a bin.
type Step func(name string) string

// Transform applies [Transforms]. It is safe for concurrent use. A nil Transform does not
// change anything.
type Transform struct {
	includeAll, excludeAll bool
	included, excluded     map[string]bool
	renames                map[string]string
	steps                  []Step

	known    atomic.Pointer[map[string]outcome] // replaced, never modified
	learning sync.Mutex                         // held to replace it
}

// outcome is what happens to a bin.
type outcome struct {
	name   string
	leaves bool // is removed

	// shared is set if a bin that was added before gets the same name. Of two bins with
	// one name, only the later one has it set.
	shared bool
}

// maxOutcomes bounds what a Transform remembers. The outcomes of further bins are computed
// each time.
const maxOutcomes = 1024

// NewTransform returns a Transform. It keeps the Steps of t, and copies the rest.
func NewTransform(t Transforms) *Transform {
	n := &Transform{
		includeAll: t.Include.All, excludeAll: t.Exclude.All,
		included: setOf(t.Include.Names), excluded: setOf(t.Exclude.Names),
		renames: maps.Clone(t.Renames), steps: t.Steps,
	}
	n.known.Store(&map[string]outcome{})
	return n
}

func setOf(names []string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[name] = true
	}
	return set
}

// Apply transforms the bins of c in place, and keeps their order. An error is permanent: two
// bins would have one name, or a bin would have none. The bins of c are invalid then.
func (t *Transform) Apply(c *change.Change) error {
	if t == nil {
		return nil
	}
	kept := c.Bins[:0]
	shared := false
	for _, b := range c.Bins {
		o := t.outcome(b.Name)
		if o.leaves {
			continue
		}
		if o.name == "" {
			return change.Permanent(fmt.Errorf("bin-transforms: bin %q would get an empty name", b.Name))
		}
		shared = shared || o.shared
		b.Name = o.name
		kept = append(kept, b)
	}
	clear(c.Bins[len(kept):])
	c.Bins = kept
	if shared {
		return distinct(kept)
	}
	return nil
}

// distinct returns an error if two bins have the same name.
func distinct(bins []change.Bin) error {
	seen := make(map[string]bool, len(bins))
	for i := range bins {
		if seen[bins[i].Name] {
			return change.Permanent(fmt.Errorf("bin-transforms: two bins would get the name %q, and one of them would be lost", bins[i].Name))
		}
		seen[bins[i].Name] = true
	}
	return nil
}

func (t *Transform) outcome(name string) outcome {
	if o, ok := (*t.known.Load())[name]; ok {
		return o
	}
	return t.learn(name)
}

func (t *Transform) learn(name string) outcome {
	o := t.workOut(name)
	t.learning.Lock()
	defer t.learning.Unlock()
	known := *t.known.Load()
	if again, ok := known[name]; ok {
		return again
	}
	if len(known) >= maxOutcomes {
		o.shared = true // it may be
		return o
	}
	for _, other := range known {
		o.shared = o.shared || !o.leaves && !other.leaves && other.name == o.name
	}
	more := make(map[string]outcome, len(known)+1)
	maps.Copy(more, known)
	more[name] = o
	t.known.Store(&more)
	return o
}

func (t *Transform) workOut(name string) outcome {
	if !t.includeAll && !t.included[name] || t.excludeAll || t.excluded[name] {
		return outcome{leaves: true}
	}
	if renamed, ok := t.renames[name]; ok {
		return outcome{name: renamed}
	}
	for _, step := range t.steps {
		name = step(name)
	}
	return outcome{name: name}
}
