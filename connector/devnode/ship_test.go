package devnode_test

import (
	"bufio"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	as "github.com/aerospike/aerospike-client-go/v7"
	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/devnode"
	"github.com/aerosink/aerosink/connector/xdr"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
)

// receiver is a connector that keeps what it receives.
type receiver struct {
	net.Listener
	reply func(n int) xdr.Code

	forget bool // keeps nothing
	mu     sync.Mutex
	got    []change.Change
}

// newReceiver starts a receiver that replies to the n-th change, from 1, with reply(n); nil
// replies OK.
func newReceiver(t testing.TB, reply func(n int) xdr.Code) *receiver {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{Listener: l, reply: reply}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { r.serve(conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		serving.Wait()
	})
	return r
}

func (r *receiver) serve(conn net.Conn) {
	defer conn.Close()
	decoder := xdr.NewDecoder(xdr.MaxSize, time.Now)
	in, out := bufio.NewReader(conn), bufio.NewWriter(conn)
	for frames := xdr.NewReader(in, xdr.MaxSize); ; {
		f, err := frames.Next()
		if err != nil {
			return
		}
		var c change.Change
		if err := decoder.Decode(append(xdr.Frame(nil), f...), &c); err != nil {
			return
		}
		if _, err := out.Write(xdr.AppendReply(nil, r.take(c))); err != nil {
			return
		}
		if in.Buffered() == 0 && out.Flush() != nil {
			return
		}
	}
}

func (r *receiver) take(c change.Change) xdr.Code {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.forget {
		r.got = append(r.got, c)
	}
	if r.reply == nil {
		return xdr.OK
	}
	return r.reply(len(r.got))
}

func (r *receiver) changes() []change.Change {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]change.Change{}, r.got...)
}

// shipping starts a node that ships to r. The source does not run yet.
func shipping(t testing.TB, r *receiver, c devnode.Config) (*devnode.Node, *xdrtest.Source) {
	t.Helper()
	c.Source = &xdrtest.Source{Address: r.Addr().String(), Connections: 2, RetryAfter: time.Millisecond}
	return listen(t, c), c.Source
}

// run runs s until the test ends.
func run(t testing.TB, s *xdrtest.Source) {
	var running sync.WaitGroup
	running.Go(func() { s.Run(t.Context()) })
	t.Cleanup(running.Wait)
}

func settle(t testing.TB, s *xdrtest.Source) {
	t.Helper()
	if err := s.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// Each write arrives with its bins, key, generation, update time, expiry and operation.
func TestNode_ships(t *testing.T) {
	r := newReceiver(t, nil)
	n, s := shipping(t, r, devnode.Config{})
	run(t, s)
	client := connect(t, n)
	policy := as.NewWritePolicy(0, 1000)
	policy.SendKey = true
	step := func(do func() as.Error) change.Change {
		t.Helper()
		if err := do(); err != nil {
			t.Fatal(err)
		}
		settle(t, s)
		all := r.changes()
		return all[len(all)-1]
	}
	k := key(t, "joe")
	before := time.Now()
	created := step(func() as.Error { return client.Put(policy, k, as.BinMap{"age": 27}) })
	if created.Namespace != "test" || created.Set != "people" || string(created.Digest[:]) != string(k.Digest()) || string(created.Key.Bytes()) != "joe" ||
		created.Op != change.Write || created.Mode != change.Replace || created.Generation != 1 || len(created.Bins) != 1 || created.Bins[0].Value.Integer() != 27 {
		t.Errorf("created: %+v", created)
	}
	if created.LUT < before.UnixMilli() || created.LUT > time.Now().UnixMilli() || created.Expiry < before.Unix()+999 || created.Expiry > time.Now().Unix()+1001 {
		t.Errorf("update time %d, expiry %d", created.LUT, created.Expiry)
	}
	added := step(func() as.Error { return client.AddBins(nil, k, as.NewBin("age", 1)) })
	if added.Generation != 2 || added.LUT <= created.LUT || added.Bins[0].Value.Integer() != 28 || added.Expiry != 0 || string(added.Key.Bytes()) != "joe" {
		t.Errorf("added: %+v", added)
	}
	deleted := step(func() as.Error { _, err := client.Delete(nil, k); return err })
	if deleted.Op != change.Delete || deleted.Generation != 3 || deleted.LUT <= added.LUT || string(deleted.Key.Bytes()) != "joe" {
		t.Errorf("deleted: %+v", deleted)
	}
	again := step(func() as.Error { return client.Put(nil, k, as.BinMap{"b": 1}) })
	if again.Generation != 1 || again.LUT <= deleted.LUT || len(again.Bins) != 1 || again.Key.Kind() != change.KindNil {
		t.Errorf("created again: %+v", again)
	}
	policy.DurableDelete = true
	if durable := step(func() as.Error { _, err := client.Delete(policy, k); return err }); durable.Op != change.DurableDelete {
		t.Errorf("durably deleted: %+v", durable)
	}
	if emptied := step(func() as.Error {
		if err := client.Put(nil, k, as.BinMap{"b": 1}); err != nil {
			return err
		}
		return client.Put(nil, k, as.BinMap{"b": nil})
	}); emptied.Op != change.Delete {
		t.Errorf("without bins: %+v", emptied)
	}
}

// What is shipped is the record as it is then: one version of many, and nothing of a record
// that is gone, but a delete.
func TestNode_shipsCurrentVersion(t *testing.T) {
	r := newReceiver(t, nil)
	n, s := shipping(t, r, devnode.Config{})
	client := connect(t, n)
	for i := range 10 {
		if err := client.Put(nil, key(t, "often"), as.BinMap{"i": i}); err != nil {
			t.Fatal(err)
		}
	}
	if err := client.Put(nil, key(t, "gone"), as.BinMap{"i": 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Delete(nil, key(t, "gone")); err != nil {
		t.Fatal(err)
	}
	if err := client.Put(nil, key(t, "truncated"), as.BinMap{"i": 1}); err != nil {
		t.Fatal(err)
	}
	s.Expire("test", change.Digest(key(t, "truncated").Digest()))
	run(t, s)
	settle(t, s)
	got := map[string]change.Change{}
	for _, c := range r.changes() {
		got[string(c.Digest[:])] = c
	}
	often, gone := got[string(key(t, "often").Digest())], got[string(key(t, "gone").Digest())]
	if len(r.changes()) != 2 || often.Generation != 10 || gone.Op != change.Delete || gone.Generation != 2 || s.Stats().NotFound != 1 {
		t.Errorf("%+v, %s", r.changes(), s.Stats())
	}
}

// A change is shipped again until it is acknowledged, and dropped if the connector says so.
func TestNode_shipsAgain(t *testing.T) {
	r := newReceiver(t, func(n int) xdr.Code { return []xdr.Code{xdr.OK, xdr.Retry, xdr.Retry, 4}[min(n, 3)] })
	n, s := shipping(t, r, devnode.Config{})
	run(t, s)
	client := connect(t, n)
	if err := client.Put(nil, key(t, 1), as.BinMap{"i": 1}); err != nil {
		t.Fatal(err)
	}
	if err := s.Settle(t.Context()); err == nil || !strings.Contains(err.Error(), "abandoned") {
		t.Errorf("error %v", err)
	}
	if stats := s.Stats(); stats.RetryDest != 2 || stats.Abandoned != 1 || stats.Success != 0 {
		t.Errorf("%s", stats)
	}
}

// A namespace that is not shipped is not; the others are kept apart from it.
func TestNode_shippedNamespaces(t *testing.T) {
	r := newReceiver(t, nil)
	n, s := shipping(t, r, devnode.Config{Namespaces: []string{"test", "other", "restore"}, Shipped: []string{"test", "other"}})
	run(t, s)
	client := connect(t, n)
	for i, namespace := range []string{"restore", "test", "other"} {
		k, err := as.NewKey(namespace, "people", "joe")
		if err != nil {
			t.Fatal(err)
		}
		if err := client.Put(nil, k, as.BinMap{"i": i}); err != nil {
			t.Fatal(err)
		}
		if record, err := client.Get(nil, k); err != nil || record.Generation != 1 || record.Bins["i"] != i {
			t.Errorf("%s: %v, %v", namespace, record, err)
		}
	}
	settle(t, s)
	var got []string
	for _, c := range r.changes() {
		got = append(got, c.Namespace)
	}
	if joined := strings.Join(got, " "); joined != "test other" && joined != "other test" {
		t.Errorf("shipped: %s", joined)
	}
}

// The info commands of XDR on the node's port show what is shipped, and ship it again.
func TestNode_rewind(t *testing.T) {
	r := newReceiver(t, nil)
	var offset atomic.Int64
	clock := func() time.Time { return start.Add(time.Duration(offset.Load())) }
	n, s := shipping(t, r, devnode.Config{Now: clock, Namespaces: []string{"test", "restore"}, Shipped: []string{"test"}})
	run(t, s)
	client, conn := connect(t, n), dial(t, n)
	info := func(command string) string {
		t.Helper()
		_, value, _ := strings.Cut(strings.TrimSuffix(string(exchange(t, conn, 1, []byte(command+"\n"))), "\n"), "\t")
		return value
	}
	for i := range 10 {
		offset.Add(int64(time.Minute))
		if err := client.Put(nil, key(t, i), as.BinMap{"i": i}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := client.Delete(nil, key(t, 9)); err != nil {
		t.Fatal(err)
	}
	settle(t, s)
	if got := info("get-config:context=xdr"); got != "dcs=aerosink" {
		t.Error(got)
	}
	if got, want := info("get-config:context=xdr;dc=aerosink"), "connector=true;node-address-port="+r.Addr().String()+";namespaces=test"; got != want {
		t.Error(got)
	}
	for _, tt := range []struct {
		rewind string
		result string
		ships  int
	}{{"all", "ok", 9}, {"150", "ok", 2}, {"0", "ok", 0}, {"-1", "ERROR:4:rewind is neither all nor a number of seconds", 0}} {
		before := len(r.changes())
		if got := info("set-config:context=xdr;dc=aerosink;namespace=test;action=add;rewind=" + tt.rewind); got != tt.result {
			t.Errorf("rewind=%s: %s", tt.rewind, got)
		}
		settle(t, s)
		if got := len(r.changes()) - before; got != tt.ships {
			t.Errorf("rewind=%s ships %d changes, want %d", tt.rewind, got, tt.ships)
		}
	}
	before := len(r.changes())
	if got := info("set-config:context=xdr;dc=aerosink;namespace=test;action=remove"); got != "ok" {
		t.Error(got)
	}
	if err := client.Put(nil, key(t, 1), as.BinMap{"i": 1}); err != nil {
		t.Fatal(err)
	}
	settle(t, s)
	if len(r.changes()) != before {
		t.Error("a namespace is shipped that was removed")
	}
	if got := info("get-stats:context=xdr;dc=aerosink;namespace=test"); got != "ERROR:4:no such DC or namespace" {
		t.Error(got)
	}
	if got := info("get-stats:context=xdr;dc=aerosink"); !strings.Contains(got, "in_queue=0;") {
		t.Error(got)
	}
}

// An expired record cannot be read, is written as if it was absent, and is removed by a sweep
// that ships nothing.
func TestNode_expiry(t *testing.T) {
	r := newReceiver(t, nil)
	var offset atomic.Int64
	n, s := shipping(t, r, devnode.Config{Now: func() time.Time { return start.Add(time.Duration(offset.Load())) }})
	run(t, s)
	conn := dial(t, n)
	put := func(digest byte, ttl uint32) []byte {
		return exchange(t, conn, 3, command{info: "00 01 00", ttl: ttl, fields: one(digest), ops: []string{op(2, 1, "a", "\x01")}}.body())
	}
	get := func(digest byte) byte {
		return exchange(t, conn, 3, command{info: "03 00 00", fields: one(digest)}.body())[5]
	}
	for digest := range byte(3) {
		put(digest, 10)
		put(digest, 0xfffffffe) // leaves the void time
	}
	offset.Store(int64(10 * time.Second))
	if code := get(1); code != 0 {
		t.Errorf("after 10 s: code %d", code)
	}
	offset.Store(int64(11 * time.Second))
	if code := get(1); code != 2 {
		t.Errorf("after 11 s: code %d", code)
	}
	for name, c := range map[string]command{
		"touch":       {info: "00 01 00", fields: one(1), ops: []string{op(11, 0, "", "")}},
		"delete":      {info: "00 03 00", fields: one(1)},
		"update only": {info: "00 01 08", fields: one(1), ops: []string{op(2, 1, "a", "\x01")}},
	} {
		if got := exchange(t, conn, 3, c.body()); got[5] != 2 {
			t.Errorf("%s: code %d", name, got[5])
		}
	}
	if got := put(2, 0); got[5] != 0 || got[9] != 1 {
		t.Errorf("written again: % x, want generation 1", got)
	}
	if got := exchange(t, conn, 1, []byte("sets/test\n")); !strings.Contains(string(got), "objects=1:") {
		t.Errorf("%s", got)
	}
	settle(t, s)
	before := len(r.changes())
	s.Sweep()
	settle(t, s)
	if len(r.changes()) != before || get(2) != 0 || get(0) != 2 {
		t.Errorf("%d changes of a sweep", len(r.changes())-before)
	}
}

// Clients that write at the same time each see their own writes, and the connector has the
// newest versions in the end.
func TestNode_concurrentWriters(t *testing.T) {
	r := newReceiver(t, func(n int) xdr.Code {
		if n%5 == 0 {
			return xdr.Retry
		}
		return xdr.OK
	})
	n, s := shipping(t, r, devnode.Config{})
	run(t, s)
	var writing sync.WaitGroup
	for w := range 4 {
		client := connect(t, n)
		writing.Go(func() {
			for i := range 300 {
				k := key(t, i%17)
				var err as.Error
				switch i % 10 {
				case 9:
					_, err = client.Delete(nil, k)
				default:
					_, err = client.Operate(nil, k, as.AddOp(as.NewBin("n", 1)), as.PutOp(as.NewBin("by", w)), as.GetBinOp("n"))
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	writing.Wait()
	settle(t, s)
	last := map[change.Digest]xdrtest.Version{}
	for _, c := range r.changes() {
		last[c.Digest] = xdrtest.VersionOf(&c)
	}
	if diff := cmp.Diff(s.Newest("test"), last); diff != "" {
		t.Errorf("(-newest +got):\n%s", diff)
	}
}

// A thousand clients that do nothing cost little and do not disturb others.
func TestNode_idleClients(t *testing.T) {
	n := listen(t, devnode.Config{})
	memory := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapInuse + m.StackInuse)
	}
	before := memory()
	const idle = 1000
	for range idle {
		conn := dial(t, n)
		if got := exchange(t, conn, 1, []byte("node\n")); len(got) != len("node\t32C901000000FC02\n") {
			t.Fatalf("%q", got)
		}
	}
	if each := (memory() - before) / idle; each > 32<<10 {
		t.Errorf("%d bytes for each client", each)
	}
	client := connect(t, n)
	if err := client.Put(nil, key(t, 1), as.BinMap{"a": 1}); err != nil {
		t.Fatal(err)
	}
	if got := string(exchange(t, dial(t, n), 1, []byte("statistics\n"))); !strings.Contains(got, "objects=1;client_connections=10") {
		t.Error(got)
	}
}
