// Package sink says what it is to store changes where they last: a batch comes in
// with the bytes that its changes were read from, a verdict on each goes back. A nil
// verdict means durable: a message that Pub/Sub has given an id, an object that
// Cloud Storage has finalised. Of HTTP the package knows nothing.
//
// The places themselves are packages of their own: [pubsub], [archive]. Here are
// what they have in common, and log:, for trying things out.
//
// [pubsub]: https://pkg.go.dev/github.com/aerosink/aerosink/function/sink/pubsub
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

// Sink is a place to store changes. Its methods may be called by several
// goroutines at once.
type Sink interface {
	// Put stores the changes of the batch and returns when the last is durable or has
	// failed. It neither keeps nor writes to the batch and its bytes after that.
	Put(ctx context.Context, b Batch) Verdicts

	// Close waits for nothing: all Puts must have returned.
	Close() error
}

// Batch is what one request brings.
type Batch struct {
	Changes []format.Parsed

	// DeadLetters, unless nil, says that Changes are dead letters, and why each is one.
	// The Change of a dead letter holds only what could be read.
	DeadLetters []DeadLetter

	// TraceParent is the request's trace as of W3C Trace Context; "" if it has none
	// or is not sampled.
	TraceParent string
}

// Verdicts are the verdicts on a batch, one for each change. Nil, or a nil one,
// means stored; an error marked by change.Permanent will be the same next time.
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

// ErrOverloaded is wrapped by the verdict on a change that found no room: what waits
// in memory is bounded. A little later there is room.
var ErrOverloaded = errors.New("overloaded")

// Spec says which sink to open and how.
type Spec struct {
	URL string // as it was configured; it holds no secret

	// Bins says that the sink reads the bins of changes, not only their bytes and
	// metadata, so that formats.Parser.Bins must be set.
	Bins bool

	// New opens the sink. The context bounds the opening alone.
	New func(ctx context.Context) (Sink, error)

	// Probe finds out whether what the URL names is there and may be used for storing.
	// It stores nothing. Nil finds nothing wrong.
	Probe func(ctx context.Context) error
}

// String returns the URL.
func (s Spec) String() string { return s.URL }

// Open opens the sink. The context bounds the opening alone.
func (s Spec) Open(ctx context.Context) (Sink, error) {
	sink, err := s.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("open sink %s: %w", s.URL, err)
	}
	return sink, nil
}

// Options are what all sinks of a process share.
type Options struct {
	// Timeout bounds what a sink does for one Put.
	Timeout time.Duration

	// Log is where the sink log: writes. It gets whole lines.
	Log io.Writer

	// Avro is the schema that changes are written with as Avro datums where no other
	// is called for. Nil is the sinks' own.
	Avro *avro.Format

	// MetadataKey is the member that holds the metadata of flat JSON where changes
	// are written as such.
	MetadataKey string

	// Metrics is where sinks register their metrics, each with the label sink, its
	// URL. Nil registers none.
	Metrics prometheus.Registerer
}
