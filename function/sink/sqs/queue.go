package sqs

import (
	"context"
	"fmt"
	"strconv"

	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/ordered"
)

// queue is the sink: it sends the messages of Puts to a queue.
type queue struct {
	queueConfig
	client       *client
	sender       *ordered.Sender[*message]
	metrics      *ordered.Metrics
	registration sink.Registration // of the metrics
}

// calls is how many calls are in flight at once. Each takes a few milliseconds, so that 32
// make several thousand a second.
const calls = 32

func newQueue(c queueConfig, cl *client) *queue {
	q := &queue{queueConfig: c, client: cl}
	most := calls
	if c.inOneGroup() {
		most = 1
	}
	q.sender = ordered.New(ordered.Config[*message]{
		Name: c.url, Call: cl.send, Messages: callMessages, Bytes: callBytes, Calls: most,
		MaxMessages: c.maxMessages, MaxBytes: c.maxBytes, Timeout: c.timeout, Pause: c.pause,
	})
	q.metrics = newMetrics(q)
	cl.metrics = q.metrics
	return q
}

// Put implements [sink.Sink]. It waits until the queue has every message or there is a verdict.
func (q *queue) Put(ctx context.Context, b sink.Batch) sink.Verdicts {
	if err := ctx.Err(); err != nil {
		return sink.All(len(b.Changes), fmt.Errorf("send to %s: %w", q.url, err))
	}
	e := newEncoder(q, b)
	e.encode()
	errs := q.sender.Put(ctx, e.messages)
	q.metrics.Count(len(e.messages), errs)
	for i, err := range errs {
		e.setVerdict(e.spans[i], err)
	}
	return e.verdicts
}

// Close implements [sink.Sink].
func (q *queue) Close() error {
	q.sender.Close()
	q.registration.Unregister()
	q.client.close()
	return nil
}

// inOneGroup reports whether all messages are in one group, so that one call has to follow the
// other.
func (c *queueConfig) inOneGroup() bool { return len(c.groups) == 1 }

// groupNames returns the IDs of n groups.
func groupNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = "p" + strconv.Itoa(i)
	}
	return names
}
