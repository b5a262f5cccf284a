package archive

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// distantBucket takes a while for each object, and any number at once.
type distantBucket struct {
	latency time.Duration

	mu            sync.Mutex
	objects       int
	writing, most int // at once
}

// Create implements [Bucket].
func (b *distantBucket) Create(ctx context.Context, _ Object) (Outcome, error) {
	b.count(1)
	defer b.count(-1)
	if !sleep(ctx, b.latency) {
		return Unknown, ctx.Err()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.objects++
	return Created, nil
}

func (b *distantBucket) count(writes int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.writing += writes
	b.most = max(b.most, b.writing)
}

// Close implements [Bucket].
func (*distantBucket) Close() error { return nil }

// Each change of a request has a set, and so an object, of its own. They are written side by
// side, and not more at once than there may be.
func TestPut_manySets(t *testing.T) {
	for _, sets := range []int{maxWrites / 2, 3000, 10_000} {
		t.Run(fmt.Sprint(sets), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &distantBucket{latency: 200 * time.Millisecond}
				a, _ := openMemory(t, "")
				w := &writer{url: a.url, timeout: a.timeout, bucket: b, metrics: a.metrics, writes: make(semaphore, maxWrites)}
				a.group = newGroup(a.config, w.write, a.processors)
				var batch sink.Batch
				for i := range sets {
					batch.Changes = append(batch.Changes, sinktest.One(fmt.Sprint("set", i), i))
				}
				for i, err := range a.Put(t.Context(), batch) {
					if err != nil {
						t.Fatalf("set %d: %v", i, err)
					}
				}
				if b.objects != sets || b.most != min(sets, maxWrites) {
					t.Errorf("%d objects, %d at once, want %d and %d", b.objects, b.most, sets, min(sets, maxWrites))
				}
			})
		})
	}
}
