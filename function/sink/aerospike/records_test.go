package aerospike_test

import (
	"testing"
	"time"

	as "github.com/aerospike/aerospike-client-go/v7"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/devnode"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/aerospike"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// node starts a development node that stops when the test ends.
func node(t testing.TB, c devnode.Config) *devnode.Node {
	t.Helper()
	n, err := devnode.Listen("127.0.0.1:0", c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// open opens a sink at a node. The path has the parameters.
func open(t testing.TB, n *devnode.Node, path string, o sink.Options) sink.Sink {
	t.Helper()
	return sinktest.Open(t, sinktest.Parse(t, aerospike.Parse, "aerospike://"+n.Addr()+path, o))
}

// client returns a client of the node.
func client(t testing.TB, n *devnode.Node) *as.Client {
	t.Helper()
	hosts, err := as.NewHosts(n.Addr())
	if err != nil {
		t.Fatal(err)
	}
	c, err := as.NewClientWithPolicyAndHost(as.NewClientPolicy(), hosts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func batch(changes ...change.Change) (b sink.Batch) {
	for _, c := range changes {
		b.Changes = append(b.Changes, format.Parsed{Change: c, Data: []byte("{}"), Format: "json"})
	}
	return b
}

// written returns a write of one bin, of version v.
func written(v int64, value int64) change.Change {
	return change.Change{
		Namespace: "test", Set: "s", Digest: change.Digest{1}, Key: change.StringValue([]byte("k")), Generation: uint32(v), LUT: start + v, Mode: change.Replace,
		Bins: []change.Bin{{Name: "i", Value: change.IntegerValue(value)}},
	}
}

var start = time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC).UnixMilli()

func TestRecords_first(t *testing.T) {
	n := node(t, devnode.Config{})
	s := open(t, n, "/test?mode=records", sink.Options{})
	for _, v := range s.Put(t.Context(), batch(written(1, 10), written(3, 30), written(2, 20), written(3, 30))) {
		if v != nil {
			t.Error(v)
		}
	}
	key, _ := as.NewKeyWithDigest("test", "s", nil, append([]byte{1}, make([]byte, 19)...))
	r, err := client(t, n).Get(nil, key)
	t.Log(r, err)
}
