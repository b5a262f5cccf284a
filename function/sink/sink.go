// Package sink defines sinks, which store changes durably, and what they have in common.
// A sink takes a batch of changes, with the bytes that they were read from, and returns
// a verdict on each. A nil verdict means that the change is durable: Pub/Sub has given
// its message an ID, SQS or Kinesis has taken it, or Cloud Storage or S3 has its object. The
// package does not import net/http.
//
// The sinks are in packages of their own, [pubsub], [sqs], [kinesis] and [archive], except log:,
// which is for trying things out.
//
// [pubsub]: https://pkg.go.dev/github.com/aerosink/aerosink/function/sink/pubsub
// [sqs]: https://pkg.go.dev/github.com/aerosink/aerosink/function/sink/sqs
// [kinesis]: https://pkg.go.dev/github.com/aerosink/aerosink/function/sink/kinesis
// [archive]: https://pkg.go.dev/github.com/aerosink/aerosink/function/sink/archive
package sink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/avro"
)

// Sink stores changes. Its methods may be called by several goroutines at once.
type Sink interface {
	// Put stores the changes of the batch and returns when the last is durable or has
	// failed. After that it neither keeps nor modifies the batch and its bytes.
	Put(ctx context.Context, b Batch) Verdicts

	// Close closes the sink. It does not wait: all Puts must have returned.
	Close() error
}

// Batch is the changes of one request.
type Batch struct {
	Changes []format.Parsed

	// DeadLetters, unless nil, marks all Changes as dead letters, and says why each is one.
	// The Change of a dead letter holds only what could be read.
	DeadLetters []DeadLetter

	// TraceParent is the request's traceparent header (W3C Trace Context); "" if it has
	// none or is not sampled.
	TraceParent string
}

// Verdicts holds a verdict on each change of a batch. A nil verdict means that the change
// is stored, and nil Verdicts that all are. An error marked by change.Permanent would be
// the same on a retry.
type Verdicts []error

// All returns the verdict err on each of n changes.
func All(n int, err error) Verdicts {
	if err == nil {
		return nil
	}
	v := make(Verdicts, n)
	for i := range v {
		v[i] = err
	}
	return v
}

// Set makes err the verdict on change i of n.
func (v *Verdicts) Set(n, i int, err error) {
	if err == nil {
		return
	}
	if *v == nil {
		*v = make(Verdicts, n)
	}
	(*v)[i] = err
}

// ErrOverloaded is wrapped by the verdict on a change that was refused because too much
// waits in memory already. A retry a little later may succeed.
var ErrOverloaded = errors.New("overloaded")

// Spec says which sink to open and how.
type Spec struct {
	URL string // as configured; it has no secrets

	// Bins says that the sink reads the bins of changes, not only their bytes and
	// metadata, so that formats.Parser.Bins must be set.
	Bins bool

	// Fence is not nil if the URL names a fence instead of a sink. New and Probe are nil then.
	Fence *FenceSpec

	// New opens the sink. The context applies only to opening it.
	New func(ctx context.Context) (Sink, error)

	// Probe checks that what the URL names exists and that the program may store in it.
	// It stores nothing. A nil Probe means that there is nothing to check. A [*Concern] says
	// that the sink works, but probably not as it was meant.
	Probe func(ctx context.Context) error
}

// Concern is the error of a Probe about a sink that works, but slower or with less than it
// could. It is shown as a warning.
type Concern struct {
	Text string // what it is, and what to change
}

// Error implements error.
func (c *Concern) Error() string { return c.Text }

// String returns the URL.
func (s Spec) String() string { return s.URL }

// Open opens the sink. The context applies only to opening it.
func (s Spec) Open(ctx context.Context) (Sink, error) {
	sink, err := s.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("open sink %s: %w", s.URL, err)
	}
	return sink, nil
}

// Options are the settings that all sinks of a process share.
type Options struct {
	// Timeout bounds what a sink does for one Put.
	Timeout time.Duration

	// OneAtATime says that the process handles one request at a time, as in AWS Lambda, so
	// that waiting for others to share an object with only costs time.
	OneAtATime bool

	// Log is where the sink log: writes, in whole lines.
	Log io.Writer

	// Avro is the format, with its schema, of changes that are written as Avro datums,
	// unless something requires another schema. Nil means the sinks' own schema.
	Avro *avro.Format

	// MetadataKey is the member that holds the metadata in changes that are written as
	// flat JSON.
	MetadataKey string

	// Metrics is where sinks register their metrics. The label sink holds the URL. If
	// Metrics is nil, none are registered.
	Metrics prometheus.Registerer
}
