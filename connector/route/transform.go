package route

import (
	"fmt"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/aerosink/aerosink/connector/change"
)

// Transforms says which bins of a change go on, and under what names.
type Transforms struct {
	Include, Exclude Selection // a bin goes on that is included and not excluded
	Renames          map[string]string
	Steps            []Step // one after another, for the bins that Renames does not have
}

// Selection is a choice of bins. The zero Selection chooses none.
type Selection struct {
	All   bool
	Names []string // when not All
}

// Step makes a bin's name another.
type Step func(name string) string

// Transform applies [Transforms]. It may be used by several goroutines at once. A
// nil Transform leaves changes as they are.
type Transform struct {
	includeAll, excludeAll bool
	included, excluded     map[string]bool
	renames                map[string]string
	steps                  []Step

	known    atomic.Pointer[map[string]outcome] // never changed, only replaced
	learning sync.Mutex                         // held to replace it
}

// outcome is what becomes of a bin.
type outcome struct {
	name   string
	leaves bool // does not go on

	// shared says that another bin that was known before has the same outcome. Of
	// two bins that become one, the one that was learnt later knows.
	shared bool
}

// maxOutcomes bounds what a Transform remembers, and the work of learning it. The
// bins beyond are worked out each time.
const maxOutcomes = 1024

// NewTransform returns a Transform. It keeps t's Steps, and copies the rest.
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

// Apply transforms the bins of c in place, which keep their order. An error is
// permanent: two bins would become one, or one would have no name. The bins of c
// are then of no use.
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
			return change.Permanent(fmt.Errorf("bin-transforms: bin %q would have no name", b.Name))
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

// distinct returns an error when two bins have one name.
func distinct(bins []change.Bin) error {
	seen := make(map[string]bool, len(bins))
	for i := range bins {
		if seen[bins[i].Name] {
			return change.Permanent(fmt.Errorf("bin-transforms: two bins would become %q, and one of them be lost", bins[i].Name))
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
		o.shared = true // for all that can be known
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
