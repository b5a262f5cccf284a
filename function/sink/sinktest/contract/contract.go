// Package contract has the tests that every sink passes that stores changes in a service: what
// a verdict means, that nothing is acknowledged early, and that versions of a record stay in
// order, with faults of the service.
//
// The test of a sink calls [Run] with a [Sink], which starts a fake of the service and
// translates: what a request holds, what shall go wrong with it, and what is stored. Those of
// AWS's services are here, so that their sinks' tests have one line:
//
//	func TestContract(t *testing.T) { contract.Run(t, contract.SQS(sqs.Parse)) }
package contract

import (
	"fmt"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
)

// Sink is a kind of sink.
type Sink struct {
	// Start starts a service that is empty and has no faults, until the test ends.
	Start func(t testing.TB) Service

	// Ordered says that versions of a record are stored in order.
	Ordered bool

	// Refuses says that the service can refuse a change for what it holds.
	Refuses bool

	// NoDeadLetters says that the sink does not take dead letters: the service does not keep
	// what it has.
	NoDeadLetters bool

	// Overload are parameters of the sink's URL, such as "max-messages=20", with which it takes
	// at most 20 changes at a time.
	Overload string
}

// Service is a service, and the sink that stores in it.
type Service struct {
	// Spec returns the sink, with parameters added to its URL. They may be empty.
	Spec func(t testing.TB, parameters string, o sink.Options) sink.Spec

	// Fail makes fault decide what becomes of each request that stores changes. It may be called
	// by several goroutines at once. A nil fault fails none.
	Fail func(fault func(Request) Fault)

	// Stored returns what the service holds, in the order in which it took it: the bytes of
	// changes as they were put. Of a dead letter it may be something else.
	Stored func(t testing.TB) []string
}

// Request holds the bytes of the changes that a request stores, in its order.
type Request []string

// Has reports whether the request stores a change with these bytes.
func (r Request) Has(p format.Parsed) bool { return r.index(p) >= 0 }

func (r Request) index(p format.Parsed) int {
	for i, data := range r {
		if data == string(p.Data) {
			return i
		}
	}
	return -1
}

// Fault is what becomes of a request.
type Fault struct {
	Kind Kind

	// Entries are the indexes of the changes that are Unavailable or Refused; nil is all. Where
	// the service has no result for each, the whole request is.
	Entries []int

	Hold <-chan struct{} // of a request that is Held
}

// Kind is a kind of fault.
type Kind int

const (
	None        Kind = iota
	Unavailable      // it fails, and may succeed a moment later
	Throttled        // there are too many requests
	Forbidden        // the service does not let the sink store anything
	Refused          // the service does not take it for what it holds
	Hang             // there is no answer
	Lost             // it is stored, and the answer is lost
	Held             // it is stored, and the answer waits for Hold
)

// Run runs the tests.
func Run(t *testing.T, s Sink) {
	for _, tt := range []struct {
		name string
		test func(*testing.T, Sink)
	}{
		{"stored", testStored},
		{"empty batch", testEmpty},
		{"no early answer", testNoEarlyAnswer},
		{"failure of one", testFailureOfOne},
		{"refused", testRefused},
		{"all refused", testAllRefused},
		{"forbidden", testForbidden},
		{"throttled", testThrottled},
		{"hang", testHang},
		{"lost answer", testLostAnswer},
		{"cancelled", testCancelled},
		{"batch changed after Put", testBatchChanged},
		{"overload", testOverload},
		{"concurrent Puts", testConcurrent},
		{"order", testOrder},
		{"dead letters", testDeadLetters},
		{"opened twice", testOpenedTwice},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, s) })
	}
}

// patience is the timeout of a Put that is to succeed, on a busy machine too.
const patience = 2 * time.Minute

// updated is the last update time of the first version of each record.
var updated = time.Date(2026, 11, 22, 12, 34, 0, 0, time.UTC)

// version returns a version of a record. Records are in sets of their own and in partitions of
// their own, so that what happens to one need not happen to another.
func version(record, version int) format.Parsed {
	c := change.Change{
		Namespace: "shop", Set: fmt.Sprint("set", record), Digest: change.Digest{byte(record), byte(record >> 8), 1},
		Generation: uint32(version), LUT: updated.UnixMilli() + int64(version),
	}
	return format.Parsed{Change: c, Data: fmt.Appendf(nil, `{"record":%d,"version":%d}`, record, version), Format: "json"}
}

// firsts returns the first versions of records, from one to before another.
func firsts(from, to int) sink.Batch {
	var b sink.Batch
	for record := from; record < to; record++ {
		b.Changes = append(b.Changes, version(record, 1))
	}
	return b
}

func batch(changes ...format.Parsed) sink.Batch { return sink.Batch{Changes: changes} }

// open opens the sink, and closes it when the test ends.
func open(t *testing.T, s Service, parameters string, timeout time.Duration) sink.Sink {
	t.Helper()
	opened, err := s.Spec(t, parameters, sink.Options{Timeout: timeout}).Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Fail(nil)
		if err := opened.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return opened
}

// verdict returns the verdict on change i.
func verdict(v sink.Verdicts, i int) error {
	if v == nil {
		return nil
	}
	return v[i]
}

// wantAll reports verdicts that are not all nil.
func wantAll(t *testing.T, v sink.Verdicts) {
	t.Helper()
	for i, err := range v {
		if err != nil {
			t.Errorf("verdict on change %d: %v, want nil", i, err)
		}
	}
}

// wantRetry reports verdicts that do not ask for a retry of all n changes.
func wantRetry(t *testing.T, v sink.Verdicts, n int) {
	t.Helper()
	if len(v) != n {
		t.Fatalf("%d verdicts, want %d", len(v), n)
	}
	for i, err := range v {
		if err == nil || change.IsPermanent(err) {
			t.Errorf("verdict on change %d: %v, want one that asks for a retry", i, err)
		}
	}
}

// count returns how often something is stored.
func count(stored []string, p format.Parsed) int {
	n := 0
	for _, data := range stored {
		if data == string(p.Data) {
			n++
		}
	}
	return n
}

// inTime calls test with longer and longer timeouts of a Put, until what must happen within
// one has happened on this machine: test returns nil. It reports the last error.
func inTime(t *testing.T, test func(t *testing.T, timeout time.Duration) error) {
	t.Helper()
	var err error
	for timeout := 300 * time.Millisecond; timeout < patience; timeout *= 8 {
		if err = test(t, timeout); err == nil || t.Failed() {
			return
		}
	}
	t.Error(err)
}
