package store

import (
	"context"
	"sync"
	"time"

	"github.com/aerosink/aerosink/function/fence"
	"github.com/aerosink/aerosink/function/sink"
)

// newest has the newest versions that a target has stored although the fence does not know it,
// because another sink refused them, or it or the fence failed. An older version must not come
// after them. While nothing fails, it is empty. The zero value is ready to use. It is
// safe for concurrent use.
type newest struct {
	mu       sync.Mutex
	versions *fence.Memory // nil if there are none
	added    time.Time     // the last of them
}

// maxNewest is how many versions are kept. A version that was forgotten is followed by an older
// one at worst.
const maxNewest = 2 * maxRemembered

// among reports, for each change of b, whether it or a newer version is there. Nil means that
// none is.
func (n *newest) among(ctx context.Context, b sink.Batch) []bool {
	versions := n.current()
	if versions == nil || b.DeadLetters != nil {
		return nil
	}
	states := statesOf(b)
	versions.Read(ctx, states) // never fails
	var known []bool
	for i := range states {
		if !states[i].Supersedes(&b.Changes[i].Change) {
			continue
		}
		if known == nil {
			known = make([]bool, len(states))
		}
		known[i] = true
	}
	return known
}

// add adds the changes of b that are stored.
func (n *newest) add(ctx context.Context, b sink.Batch, verdicts sink.Verdicts) {
	n.mu.Lock()
	defer n.mu.Unlock()
	states := statesOf(b)
	for i := range states {
		c := &b.Changes[i].Change
		if c.LUT == 0 || verdicts != nil && verdicts[i] != nil {
			continue
		}
		if n.versions == nil {
			n.versions = fence.NewMemory(maxNewest * fence.EntrySize)
		}
		n.added = time.Now()
		// The record may be in b several times, so each version follows the one before. Reading
		// and writing never fail.
		one := states[i : i+1]
		if n.versions.Read(ctx, one); one[0].Advance(c) {
			n.versions.Write(ctx, one)
		}
	}
}

// current returns the versions. It forgets them some time after the last was added.
func (n *newest) current() *fence.Memory {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.versions != nil && time.Since(n.added) >= 2*maxGenerationAge {
		n.versions = nil
	}
	return n.versions
}

// statesOf returns a state without a version for each change.
func statesOf(b sink.Batch) []sink.State {
	states := make([]sink.State, len(b.Changes))
	for i := range b.Changes {
		states[i] = sink.State{Namespace: b.Changes[i].Change.Namespace, Digest: b.Changes[i].Change.Digest}
	}
	return states
}
