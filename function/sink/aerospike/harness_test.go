package aerospike

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	as "github.com/aerospike/aerospike-client-go/v7"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/devnode"
	"github.com/aerosink/aerosink/connector/devnode/devnodetest"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// node starts a development node with the namespaces test and other.
func node(t testing.TB, c devnode.Config) *devnode.Node {
	t.Helper()
	if c.Namespaces == nil {
		c.Namespaces = []string{"test", "other"}
	}
	return devnodetest.Start(t, c)
}

// server returns the address of the server that AEROSPIKE_HOST names (HOST or HOST:PORT), and
// else of a development node. The tests that use it write to sets of their own in namespace
// test, and leave the records there.
func server(t testing.TB) string {
	t.Helper()
	if address, ok := devnodetest.Server(); ok {
		return address
	}
	return node(t, devnode.Config{Now: clock()}).Addr()
}

// fresh returns a digest that no other call has returned, in this run or in an earlier one at
// the same server.
func fresh() (d change.Digest) {
	binary.BigEndian.PutUint64(d[:], uint64(time.Now().UnixNano()))
	binary.BigEndian.PutUint64(d[8:], rand.Uint64())
	return d
}

// clock is a clock that goes on by a millisecond each time it is read.
func clock() func() time.Time {
	var ms atomic.Int64
	return func() time.Time { return now.Add(time.Duration(ms.Add(1)) * time.Millisecond) }
}

// now is about when a record of version 0 was changed at the source.
var now = time.Now().Truncate(time.Second)

// open opens a sink at a node. The path is /NAMESPACE with the parameters.
func open(t testing.TB, n *devnode.Node, path string, o sink.Options) sink.Sink {
	t.Helper()
	return openAt(t, n.Addr(), path, o)
}

func openAt(t testing.TB, address, path string, o sink.Options) sink.Sink {
	t.Helper()
	return sinktest.Open(t, sinktest.Parse(t, Parse, "aerospike://"+address+path, o))
}

// dial returns a client of the node.
func dial(t testing.TB, n *devnode.Node) *as.Client {
	t.Helper()
	return devnodetest.Connect(t, n.Addr())
}

// get returns a record, nil if it is absent.
func get(t testing.TB, c *as.Client, namespace string, d change.Digest) *as.Record {
	t.Helper()
	key, err := as.NewKeyWithDigest(namespace, "", nil, d[:])
	if err != nil {
		t.Fatal(err)
	}
	r, asErr := c.Get(nil, key)
	if asErr != nil && !asErr.Matches(2) {
		t.Fatal(asErr)
	}
	return r
}

// batch returns a batch of changes as JSON.
func batch(changes ...change.Change) (b sink.Batch) {
	for _, c := range changes {
		b.Changes = append(b.Changes, format.Parsed{Change: c, Data: []byte(`{"msg":"write"}`), Format: "json"})
	}
	return b
}

const testSet = "aerosink-test"

// written returns a write of version v of a record, which replaces it.
func written(v int) change.Change {
	return change.Change{
		Namespace: "test", Set: testSet, Digest: change.Digest{1, 2, 3}, Generation: uint32(v), LUT: now.UnixMilli() + int64(v), Mode: change.Replace,
		Bins: []change.Bin{{Name: "i", Value: change.IntegerValue(int64(v))}},
	}
}

// updated is like written, but the write updates these bins.
func updated(v int, bins ...string) change.Change {
	c := written(v)
	c.Mode, c.Bins = change.Update, nil
	for _, name := range bins {
		c.Bins = append(c.Bins, change.Bin{Name: name, Value: change.IntegerValue(int64(v))})
	}
	return c
}

// removed is like written, but a delete.
func removed(v int) change.Change {
	c := written(v)
	c.Op, c.Mode, c.Bins = change.Delete, 0, nil
	return c
}

// store stores changes, and fails the test unless all succeed.
func store(t testing.TB, s sink.Sink, changes ...change.Change) {
	t.Helper()
	for i, err := range s.Put(t.Context(), batch(changes...)) {
		if err != nil {
			t.Errorf("change %d: %v", i, err)
		}
	}
}

// verdict returns the verdict on a change.
func verdict(t testing.TB, s sink.Sink, c change.Change) error {
	t.Helper()
	if verdicts := s.Put(t.Context(), batch(c)); verdicts != nil {
		return verdicts[0]
	}
	return nil
}

// set returns a copy of c that f has changed.
func set(c change.Change, f func(*change.Change)) change.Change {
	c.Bins = append([]change.Bin(nil), c.Bins...)
	f(&c)
	return c
}

// sameBytes reports whether two values have the same kind and bytes.
func sameBytes(a, b change.Value) bool {
	return a.Kind() == b.Kind() && a.Integer() == b.Integer() && bytes.Equal(a.Packed(), b.Packed())
}
