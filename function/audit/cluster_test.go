package audit_test

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	as "github.com/aerospike/aerospike-client-go/v7"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/devnode"
	"github.com/aerosink/aerosink/connector/devnode/devnodetest"
	"github.com/aerosink/aerosink/connector/format/formats"
	"github.com/aerosink/aerosink/connector/format/json"
	"github.com/aerosink/aerosink/function/audit"
	"github.com/aerosink/aerosink/function/replay/objects"
	"github.com/aerosink/aerosink/function/replay/objects/gcs"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/aerospike"
)

// cluster is a database: a development node, or the server at AEROSPIKE_HOST.
type cluster struct {
	t         testing.TB
	client    *as.Client
	node      *devnode.Node // nil of a server
	address   string
	namespace string
	set       string // one of its own for each test
	clock     clock
}

// clock is the clock of a development node. It may run behind.
type clock struct{ behind atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(-time.Duration(c.behind.Load())) }

// newNode starts a development node.
func newNode(t testing.TB, config devnode.Config) *cluster {
	t.Helper()
	c := &cluster{t: t, namespace: "shop", set: "orders"}
	if config.Namespaces == nil {
		config.Namespaces = []string{"shop", "other"}
	}
	config.Now = c.clock.now
	node := devnodetest.Start(t, config)
	c.node, c.address = node, node.Addr()
	c.connect()
	return c
}

// anyCluster returns the server that AEROSPIKE_HOST names, with the namespace that
// AEROSPIKE_NAMESPACE names, or else starts a development node.
func anyCluster(t testing.TB) *cluster {
	t.Helper()
	address, ok := devnodetest.Server()
	if !ok {
		return newNode(t, devnode.Config{})
	}
	c := &cluster{t: t, address: address, namespace: os.Getenv("AEROSPIKE_NAMESPACE"), set: "audit" + strconv.FormatUint(rand.Uint64(), 36)}
	if c.namespace == "" {
		c.namespace = "test"
	}
	c.connect()
	t.Cleanup(c.clear)
	return c
}

// clear deletes all records of the set.
func (c *cluster) clear() {
	found, err := c.client.ScanAll(nil, c.namespace, c.set)
	if err != nil {
		c.t.Fatal(err)
	}
	for r := range found.Results() {
		if r.Err != nil {
			c.t.Fatal(r.Err)
		}
		if _, err := c.client.Delete(nil, r.Record.Key); err != nil {
			c.t.Error(err)
		}
	}
}

func (c *cluster) connect() {
	c.t.Helper()
	c.client = devnodetest.Connect(c.t, c.address)
}

// key returns the key of record n in a set of the cluster.
func (c *cluster) key(n int) *as.Key {
	c.t.Helper()
	k, err := as.NewKey(c.namespace, c.set, n)
	if err != nil {
		c.t.Fatal(err)
	}
	return k
}

func (c *cluster) digest(n int) change.Digest { return change.Digest(c.key(n).Digest()) }

// put writes record n, with a TTL in seconds, 0 for none.
func (c *cluster) put(n int, ttl uint32) {
	c.t.Helper()
	if ttl == 0 {
		ttl = as.TTLDontExpire
	}
	if err := c.client.Put(as.NewWritePolicy(0, ttl), c.key(n), as.BinMap{"n": n}); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) delete(n int) {
	c.t.Helper()
	if existed, err := c.client.Delete(nil, c.key(n)); err != nil || !existed {
		c.t.Fatalf("record %d: existed %t, error %v", n, existed, err)
	}
}

// state returns the change that made record n what it is now.
func (c *cluster) state(n int) change.Change {
	c.t.Helper()
	lut := as.ExpReadOp("lut", as.ExpLastUpdate(), as.ExpReadFlagDefault)
	r, err := c.client.Operate(nil, c.key(n), lut)
	if err != nil {
		c.t.Fatal(err)
	}
	found := change.Change{Namespace: c.namespace, Set: c.set, Digest: c.digest(n), Generation: r.Generation, LUT: int64(r.Bins["lut"].(int)) / int64(time.Millisecond)}
	if r.Expiration != as.TTLDontExpire {
		found.Expiry = time.Now().Unix() + int64(r.Expiration)
	}
	return found
}

// archive is a folder with changes.
type archive struct {
	t               testing.TB
	folder, outside string
	files           atomic.Int64
}

func newArchive(t testing.TB) *archive {
	t.Helper()
	return &archive{t: t, folder: t.TempDir(), outside: t.TempDir()}
}

// add adds a file with changes.
func (a *archive) add(changes ...change.Change) {
	a.t.Helper()
	var lines []byte
	var err error
	for i := range changes {
		if lines, err = (json.Format{}).Append(lines, &changes[i]); err != nil {
			a.t.Error(err)
		}
	}
	a.write(lines)
}

// write adds a file, in one step.
func (a *archive) write(content []byte) {
	a.t.Helper()
	name := fmt.Sprintf("%06d.ndjson", a.files.Add(1))
	path := filepath.Join(a.outside, name)
	err := os.WriteFile(path, content, 0o600)
	if err == nil {
		err = os.Rename(path, filepath.Join(a.folder, name))
	}
	if err != nil {
		a.t.Error(err)
	}
}

// options returns those of an audit of the archive against the cluster.
func options(c *cluster, a *archive) audit.Options {
	c.t.Helper()
	u, err := url.Parse("aerospike://" + c.address + "/" + c.namespace + "/" + c.set)
	if err != nil {
		c.t.Fatal(err)
	}
	o := audit.Options{
		From: a.folder, Buckets: objects.Buckets{"gs": gcs.Open}, Against: aerospike.ParseCluster(u, sink.NewQuery(u), 10*time.Second), Parser: formats.Parser{MetadataKey: "metadata"},
		Margin: time.Second, Tolerance: 10 * time.Second, Out: &changetest.Output{},
	}
	return o
}

// run audits. It returns the kinds of the findings by digest.
func run(t testing.TB, o audit.Options) (map[change.Digest]audit.Kind, audit.Summary, error) {
	t.Helper()
	kinds := map[change.Digest]audit.Kind{}
	o.Found = func(f audit.Finding) error {
		d := change.Digest(f.Digest)
		if before, twice := kinds[d]; twice {
			t.Errorf("%s was found as %s and as %s", d, before, f.Kind)
		}
		kinds[d] = f.Kind
		return nil
	}
	sum, err := audit.Run(t.Context(), o)
	if int64(len(kinds)) != sum.Found() && err == nil {
		t.Errorf("%d findings, and the summary says %d", len(kinds), sum.Found())
	}
	return kinds, sum, err
}

// wait returns when an audit with the margin compares what was changed until now.
func wait(t testing.TB, margin time.Duration) {
	t.Helper()
	until := time.Now().Add(margin + 10*time.Millisecond)
	changetest.WaitFor(t, "the margin", func() bool { return time.Now().After(until) })
}
