package kinesis

import (
	"context"
	"errors"
	"fmt"

	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/ordered"
)

// streamSink is the sink: it puts the records of Puts into a stream.
type streamSink struct {
	*stream
	sender       *ordered.Sender[record]
	metrics      *ordered.Metrics
	registration sink.Registration // of the metrics
}

func newStreamSink(s *stream) *streamSink {
	k := &streamSink{stream: s}
	k.sender = ordered.New(ordered.Config[record]{
		Name: s.url, Call: k.send, Messages: maxCallRecords, Bytes: maxCallBytes, Calls: maxCalls,
		MaxMessages: s.maxMessages, MaxBytes: s.maxBytes, Timeout: s.timeout, Pause: s.pause,
	})
	k.metrics = newMetrics(k)
	return k
}

// errDeadLetters is the verdict on dead letters, which the settings do not send here.
var errDeadLetters = errors.New("a stream does not take dead letters, since it drops them after a day by default")

// Put implements [sink.Sink]. It waits until the stream has every record or there is a verdict.
func (k *streamSink) Put(ctx context.Context, b sink.Batch) sink.Verdicts {
	ctx, cancel := context.WithTimeout(ctx, k.timeout)
	defer cancel()
	err := ctx.Err()
	if b.DeadLetters != nil {
		err = errDeadLetters
	}
	if err != nil {
		return sink.All(len(b.Changes), fmt.Errorf("send to %s: %w", k.url, err))
	}
	e := k.encode(ctx, b)
	errs := k.sender.Put(ctx, e.messages)
	k.metrics.Count(len(e.messages), errs)
	for i, err := range errs {
		e.setVerdict(e.spans[i], err)
	}
	return e.verdicts
}

// Close implements [sink.Sink].
func (k *streamSink) Close() error {
	k.sender.Close()
	k.registration.Unregister()
	k.close()
	return nil
}

// send puts records into the stream, and sets the result of each.
func (k *streamSink) send(ctx context.Context, records []record, results []ordered.Result) {
	h := halving{k: k, records: records, results: results}
	h.send(ctx, 0, len(records))
}
