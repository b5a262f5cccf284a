package aerospike

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/time/rate"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
)

// put is a Put under way: its changes, and the verdicts on them so far. Its methods may be
// called by several goroutines for different changes.
type put struct {
	config  *config
	changes []format.Parsed
	indexes []int // of the changes that are to be stored

	mu       sync.Mutex
	verdicts sink.Verdicts
	results  [results]int               // how many changes have each
	failed   map[change.Digest]struct{} // records with a change that is to be retried
}

// newPut returns the put of a batch. Changes of another namespace have their verdict.
func newPut(c *config, b sink.Batch) *put {
	p := &put{config: c, changes: b.Changes, indexes: make([]int, 0, len(b.Changes))}
	for i := range b.Changes {
		switch namespace := b.Changes[i].Change.Namespace; {
		case b.DeadLetters != nil:
			p.fail(i, change.Permanent(errors.New("a dead letter may have no digest, and cannot be stored without one")))
		case namespace == c.from:
			p.indexes = append(p.indexes, i)
		case c.selects:
			p.done(i, skipped)
		default:
			p.fail(i, change.Permanent(fmt.Errorf("the change is of namespace %q; say with from= whose changes this sink stores, since two namespaces may have records with the same digest", namespace)))
		}
	}
	return p
}

// check fails the changes for which f returns an error. It is permanent.
func (p *put) check(f func(*change.Change) error) {
	kept := p.indexes[:0]
	for _, i := range p.indexes {
		if err := f(&p.changes[i].Change); err != nil {
			p.fail(i, change.Permanent(err))
			continue
		}
		kept = append(kept, i)
	}
	p.indexes = kept
}

// run stores the changes: within the rate, in batches.
func (p *put) run(ctx context.Context, l *rate.Limiter, b batches, store func([]int)) {
	if l == nil {
		b.put(ctx, p.changes, p.indexes, store)
		return
	}
	for rest := p.indexes; len(rest) > 0; {
		n := min(len(rest), l.Burst())
		if err := l.WaitN(ctx, n); err != nil {
			for _, i := range rest {
				p.fail(i, fmt.Errorf("%w: more changes than rate=%d a second", sink.ErrOverloaded, p.config.rate))
			}
			return
		}
		b.put(ctx, p.changes, rest[:n], store)
		rest = rest[n:]
	}
}

// done notes that a change is stored, or need not be.
func (p *put) done(_ int, r result) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.results[r]++
}

// fail sets the verdict on a change.
func (p *put) fail(i int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if change.IsPermanent(err) {
		p.results[refused]++
	} else {
		p.results[retry]++
		if p.failed == nil {
			p.failed = map[change.Digest]struct{}{}
		}
		p.failed[p.changes[i].Change.Digest] = struct{}{}
	}
	p.verdicts.Set(len(p.changes), i, fmt.Errorf("store in %s: %w", p.config.url, err))
}

// isBehind fails a change if an earlier one of its record is to be retried, so that the order
// stays, and reports whether it did.
func (p *put) isBehind(i int) bool {
	p.mu.Lock()
	_, behind := p.failed[p.changes[i].Change.Digest]
	p.mu.Unlock()
	if behind {
		p.fail(i, errors.New("an earlier change of the record failed"))
	}
	return behind
}

// pause waits before the next attempt at changes that another writer was at. If ctx ends
// first, their verdict is that, and pause returns false.
func (p *put) pause(ctx context.Context, pending []int, attempt int) bool {
	err := pause(ctx, attempt)
	for _, i := range pending {
		if err != nil {
			p.fail(i, fmt.Errorf("another writer was at the record each time: %w", err))
		}
	}
	return err == nil
}
