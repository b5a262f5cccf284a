// Package archive writes changes as objects of a bucket. A batch comes in, a verdict on each
// change goes back; a nil verdict means that the change's object exists. Access to a
// cloud's buckets is in a package of its own: see gcs.
//
// A batch takes these steps:
//
//  1. archive.Put admits the batch if not too much is in flight, and splits it into parts:
//     a part is what one Put has for one folder (part.go, template.go).
//  2. group.join puts each part into an object that is open for its folder, so that
//     concurrent Puts share objects (group.go). The index knows parts that are in an object
//     already (index.go).
//  3. When the object is closed, group.run encodes its content (object.go, encoding.go) and
//     the writer creates it, with retries (writer.go).
//  4. group.finish ends the pendingWrite, which wakes the Puts that wait for the object.
package archive

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aerosink/aerosink/function/sink"
)

// archive is the sink. By default the changes of a set in an hour, from all concurrent Puts,
// make one object:
//
//	PREFIX/namespace=shop/set=orders/dt=2026-11-22/hour=12/1795348800000-9f86d081884c7d659a2feaa0c55ad015.ndjson.gz
//
// Day and hour are those of the changes' last update time, in UTC. The name is derived from
// the path and the content, and no object is overwritten, so a batch that is repeated
// unchanged changes nothing.
type archive struct {
	*config
	bucket     Bucket
	group      *group
	metrics    *metrics
	inFlight   atomic.Int64 // bytes of the batches of all Puts
	processors semaphore    // for work that needs a processor
}

// semaphore limits how many goroutines do something at once: its capacity.
type semaphore chan struct{}

func (t semaphore) acquire(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t semaphore) release() { <-t }

func open(ctx context.Context, s *config, cloud Cloud, r prometheus.Registerer) (*archive, error) {
	b, err := cloud.Open(ctx, s.bucketName)
	if err != nil {
		return nil, err
	}
	a := &archive{config: s, bucket: b, metrics: newMetrics(r, s.url), processors: make(semaphore, runtime.GOMAXPROCS(0))}
	w := &writer{url: s.url, timeout: s.timeout, bucket: b, metrics: a.metrics, writes: make(semaphore, maxWrites)}
	a.group = newGroup(s, w.write, a.processors)
	return a, nil
}

// changeBytes is about how much memory a change takes besides its bytes.
const changeBytes = 64

// Put implements [sink.Sink]. It waits until every object exists.
func (a *archive) Put(ctx context.Context, b sink.Batch) sink.Verdicts {
	n := len(b.Changes)
	size := int64(n * changeBytes)
	for i := range b.Changes {
		size += int64(len(b.Changes[i].Data))
	}
	// A batch that is larger than the limit is admitted when it is alone.
	if all := a.inFlight.Add(size); all > a.maxInFlight && all > size {
		a.inFlight.Add(-size)
		return sink.All(n, fmt.Errorf("archive in %s: %w: more than max-in-flight=%d bytes are in flight", a.url, sink.ErrOverloaded, a.maxInFlight))
	}
	a.metrics.inFlight.Add(float64(size))
	defer func() {
		a.inFlight.Add(-size)
		a.metrics.inFlight.Sub(float64(size))
	}()
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	return a.put(ctx, b)
}

func (a *archive) put(ctx context.Context, b sink.Batch) sink.Verdicts {
	active := a.group.putStarted()
	defer a.group.putDone(active)
	if err := a.processors.acquire(ctx); err != nil {
		return sink.All(len(b.Changes), fmt.Errorf("archive in %s: %w", a.url, err))
	}
	parts, verdicts := a.splitInTurn(b)
	var panicked *sink.Panic
	for i, err := range a.group.await(ctx, a.group.join(ctx, active, parts)) {
		if err == nil {
			continue
		}
		errors.As(err, &panicked)
		for _, change := range parts[i].changes {
			verdicts.Set(len(b.Changes), change, err)
		}
	}
	if panicked != nil {
		panic(panicked)
	}
	return verdicts
}

// splitInTurn splits the batch into parts, and releases the processor.
func (a *archive) splitInTurn(b sink.Batch) ([]*part, sink.Verdicts) {
	defer a.processors.release()
	return split(a.config, b)
}

// Close implements [sink.Sink].
func (a *archive) Close() error { return a.bucket.Close() }
