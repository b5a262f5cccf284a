// Package archive writes changes as objects of a bucket: a batch comes in, a verdict
// on each change goes back, and nil means that its object was finalised.
//
// A batch is sorted into parts by folder, parts of several Puts are grouped into
// objects, an object is written under a name that follows from its content.
package archive

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"

	"cloud.google.com/go/storage"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/aerosink/aerosink/function/sink"
)

// archive writes changes to a bucket: those of a set in an hour, from all Puts of a
// moment, make one object.
//
//	PREFIX/namespace=shop/set=orders/dt=2026-11-22/hour=12/1795348800000-9f86d081884c7d65.ndjson.gz
//
// Day and hour are of the changes' last update time, in UTC. The name follows from
// the path and the content, and the object must not be there yet, so that what comes
// again as it was changes nothing.
type archive struct {
	*settings
	client   *storage.Client
	group    *group
	metrics  *metrics
	inFlight atomic.Int64 // bytes of the batches of all Puts
	turns    turns        // at the processor
}

// turns lets only so many goroutines do something at once.
type turns chan struct{}

func (t turns) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t turns) give() { <-t }

func open(ctx context.Context, s *settings, r prometheus.Registerer) (*archive, error) {
	client, err := storage.NewClient(ctx)
	if err != nil {
		return nil, err
	}
	a := &archive{settings: s, client: client, metrics: newMetrics(r, s.url), turns: make(turns, runtime.GOMAXPROCS(0))}
	b := &bucket{settings: s, handle: client.Bucket(s.bucket), metrics: a.metrics, turns: make(turns, parallelWrites)}
	a.group = newGroup(s, b.write, a.turns)
	return a, nil
}

// changeBytes is what a change takes up beside its bytes, roughly.
const changeBytes = 64

// Put implements [sink.Sink]. It waits until every object is finalised.
func (a *archive) Put(ctx context.Context, b sink.Batch) sink.Verdicts {
	n := len(b.Changes)
	size := int64(n * changeBytes)
	for i := range b.Changes {
		size += int64(len(b.Changes[i].Data))
	}
	// A batch that is larger than all may be at once is let in when it is alone.
	if all := a.inFlight.Add(size); all > a.maxInFlight && all > size {
		a.inFlight.Add(-size)
		return sink.All(n, fmt.Errorf("archive in %s: %w: batches have more than max-in-flight=%d bytes", a.url, sink.ErrOverloaded, a.maxInFlight))
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
	ticket := a.group.enter()
	defer a.group.leave(ticket)
	if err := a.turns.take(ctx); err != nil {
		return sink.All(len(b.Changes), fmt.Errorf("archive in %s: %w", a.url, err))
	}
	parts, verdicts := a.partitionInTurn(b)
	var fell *sink.Panic
	for i, r := range a.group.join(ctx, ticket, parts) {
		if r == nil {
			continue
		}
		if err := a.group.await(ctx, r); err != nil {
			errors.As(err, &fell)
			for _, change := range parts[i].changes {
				verdicts.Set(len(b.Changes), change, err)
			}
		}
	}
	if fell != nil {
		panic(fell)
	}
	return verdicts
}

// partitionInTurn sorts the changes into parts, and ends the turn.
func (a *archive) partitionInTurn(b sink.Batch) ([]*part, sink.Verdicts) {
	defer a.turns.give()
	return a.partition(b)
}

// Close implements [sink.Sink].
func (a *archive) Close() error { return a.client.Close() }
