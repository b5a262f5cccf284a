package aerospike_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	as "github.com/aerospike/aerospike-client-go/v7"
	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/devnode"
	"github.com/aerosink/aerosink/connector/devnode/devnodetest"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/aerospike"
)

// listen starts a node with the namespace test.
func listen(t testing.TB, fault func(devnode.Command) devnode.Fault) *devnode.Node {
	t.Helper()
	return devnodetest.Start(t, devnode.Config{Namespaces: []string{"test"}, Fault: fault})
}

// server returns the address of a real server, HOST or HOST:PORT in AEROSPIKE_HOST, which has the
// namespace test; or else that of a node.
func server(t testing.TB) string {
	t.Helper()
	if address, ok := devnodetest.Server(); ok {
		return address
	}
	return listen(t, nil).Addr()
}

// sets counts the sets that tests use. A real server keeps those of earlier runs.
var sets = time.Now().UnixNano()

// newSet returns the name of a set that no other test uses.
func newSet() string { return fmt.Sprint("fence-", atomic.AddInt64(&sets, 1)) }

// fenceAt parses the URL of a fence at an address.
func fenceAt(address, set, parameters string) (*sink.FenceSpec, error) {
	u, err := url.Parse("aerospike://" + address + "/test/" + set + "?mode=fence" + parameters)
	if err != nil {
		return nil, err
	}
	spec, err := aerospike.Parse(u, sink.Options{Timeout: 9 * time.Second})
	return spec.Fence, err
}

// openFence opens a fence at an address.
func openFence(t testing.TB, address, set, parameters string) sink.Fence {
	t.Helper()
	spec, err := fenceAt(address, set, parameters)
	if err != nil {
		t.Fatal(err)
	}
	f, err := spec.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// stateOf returns a state of record i in a namespace of the source.
func stateOf(namespace string, i int, v change.Version) sink.State {
	return sink.State{Namespace: namespace, Digest: change.Digest{byte(i), byte(i >> 8), 19: 7}, Version: v}
}

func write(lut int64, generation uint32) change.Version {
	return change.Version{LUT: lut, Generation: generation}
}

// record writes a state, and fails the test if that fails.
func record(t testing.TB, f sink.Fence, states ...sink.State) {
	t.Helper()
	for i, err := range f.Write(t.Context(), states) {
		if err != nil {
			t.Errorf("write state %d: %v", i, err)
		}
	}
}

// versionAt returns the version that f has of a record.
func versionAt(t testing.TB, f sink.Fence, s sink.State) change.Version {
	t.Helper()
	s.Version = write(1, 1) // is overwritten
	states := []sink.State{s}
	for _, err := range f.Read(t.Context(), states) {
		if err != nil {
			t.Errorf("read: %v", err)
		}
	}
	return states[0].Version
}

func TestFence_parameters(t *testing.T) {
	for _, tt := range []struct{ url, err string }{
		{"aerospike://a:3000/state/fence?mode=fence&ttl=720h&on-unavailable=pass&timeout=200ms&loop=allow&connections=8", ""},
		{"aerospike://a:3000/state?mode=fence", "a fence needs a set of its own"},
		{"aerospike://a:3000/state/fence?mode=fence&ttl=remaining", "invalid ttl: a fence takes default, never, or whole seconds"},
		{"aerospike://a:3000/state/fence?mode=fence&on-unavailable=wait", "invalid on-unavailable=wait: want one of retry, pass"},
		{"aerospike://a:3000/state/fence?mode=fence&timeout=1ms", "invalid duration timeout=1ms: want 10ms to 1m0s"},
		{"aerospike://a:3000/state/fence?mode=fence&rate=5", "unknown parameter rate"},
		{"aerospike://a:3000/state/fence?mode=fences", "mode=fence, which remembers what was published"},
	} {
		u, err := url.Parse(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		spec, err := aerospike.Parse(u, sink.Options{Timeout: time.Second})
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: error %v, want %q", tt.url, err, tt.err)
		}
		if err == nil && (spec.Fence == nil || !spec.Fence.Pass || spec.New != nil) {
			t.Errorf("%s: %+v", tt.url, spec)
		}
	}
}

// The server keeps the newest version, as State.IsBefore says, in one operation: whatever the
// order, with equal times, generations that wrap, and deletes.
func TestFence_keepsTheNewest(t *testing.T) {
	f := openFence(t, server(t), newSet(), "")
	next := 0
	rapid.Check(t, func(rt *rapid.T) {
		next++ // a new record each time
		model := stateOf("shop", next, change.Version{})
		for range rapid.IntRange(1, 6).Draw(rt, "writes") {
			v := change.Version{
				LUT:        rapid.SampledFrom([]int64{1, 1795350896789, 1795350896790, 1<<46 - 1}).Draw(rt, "lut"),
				Generation: rapid.SampledFrom([]uint32{0, 1, 2, 32768, 32769, 65535}).Draw(rt, "generation"),
				Op:         rapid.SampledFrom([]change.Op{change.Write, change.Delete}).Draw(rt, "op"),
			}
			if model.Version == (change.Version{}) || model.IsBefore(v) {
				model.Version = v
			}
			record(t, f, stateOf("shop", next, v))
			if got := versionAt(t, f, model); got != model.Version {
				rt.Fatalf("after %+v: %+v, want %+v", v, got, model.Version)
			}
		}
	})
}

// The expression that the server evaluates is the one that the client's own functions build,
// and two namespaces with the same digest, or long names, have their own states.
func TestFence_namespaces(t *testing.T) {
	f := openFence(t, server(t), newSet(), "")
	names := []string{"shop", "bank", "a-namespace-of-31-bytes-is-long", "a-namespace-of-31-bytes-is-lone", "fifteen-bytes-x", "sixteen-bytes-xy", "", "~shop"}
	bins := map[string]bool{}
	for i, name := range names {
		record(t, f, stateOf(name, 1, write(int64(i+1), 1)))
		bins[aerospike.FenceBin(name)] = true
		if len(aerospike.FenceBin(name)) > 15 {
			t.Errorf("bin %s of namespace %s", aerospike.FenceBin(name), name)
		}
	}
	for i, name := range names {
		if got := versionAt(t, f, stateOf(name, 1, change.Version{})); got.LUT != int64(i+1) {
			t.Errorf("%s: %+v, want %d", name, got, i+1)
		}
	}
	if len(bins) != len(names) || !bins["shop"] || !bins["fifteen-bytes-x"] {
		t.Errorf("bins %v", bins)
	}
	if got := versionAt(t, f, stateOf("other", 1, change.Version{})); got != (change.Version{}) {
		t.Errorf("a namespace without states has %+v", got)
	}
}

// An update is kept with the version that it is based on, for each namespace, until a version
// with all bins is recorded.
func TestFence_keepsTheBase(t *testing.T) {
	f := openFence(t, server(t), newSet(), "")
	for _, namespace := range []string{"shop", "a-namespace-of-31-bytes-is-long"} {
		first, second, older, whole := stateOf(namespace, 1, write(5, 1)), stateOf(namespace, 1, write(7, 3)), stateOf(namespace, 1, write(6, 2)), stateOf(namespace, 1, write(8, 4))
		first.Partial, second.Partial, second.Base = true, true, change.Version{LUT: 4, Generation: 9, Op: change.Delete}
		for _, step := range []struct{ write, want sink.State }{{first, first}, {second, second}, {older, second}, {whole, whole}} {
			record(t, f, step.write)
			got := []sink.State{{Namespace: namespace, Digest: first.Digest, Base: write(1, 1), Partial: true}}
			if verdicts := f.Read(t.Context(), got); verdicts != nil || got[0] != step.want {
				t.Errorf("%s: %+v (%v), want %+v", namespace, got[0], verdicts, step.want)
			}
		}
	}
}

// The record of a state is in the partition of the record, sorts like it, and is another one.
func TestFenceDigest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		digest := func(name string) (d change.Digest) {
			copy(d[:], rapid.SliceOfN(rapid.Byte(), 20, 20).Draw(t, name))
			return d
		}
		a, b := digest("a"), digest("b")
		in, other := aerospike.FenceDigest("fence", a), aerospike.FenceDigest("other", a)
		if in == a || in == other || in.Partition() != a.Partition() || aerospike.FenceDigest("fence", in) != a {
			t.Errorf("%s: %s, %s", a, in, other)
		}
		if string(a[:12]) != string(b[:12]) {
			if inB := aerospike.FenceDigest("fence", b); (string(in[:]) < string(inB[:])) != (string(a[:]) < string(b[:])) {
				t.Errorf("%s and %s sort differently", a, b)
			}
		}
	})
}

// A scan of the set, as an audit does it, finds the versions under the digests of the source.
func TestFence_scan(t *testing.T) {
	address, set := server(t), newSet()
	f := openFence(t, address, set, "")
	s := stateOf("shop", 1, change.Version{LUT: 1795350896789, Generation: 3, Op: change.Delete})
	record(t, f, s)
	r, asErr := devnodetest.Connect(t, address).Get(nil, keyOf(t, set, s))
	if asErr != nil {
		t.Fatal(asErr)
	}
	value, _ := r.Bins[aerospike.FenceBin("shop")].(int)
	if len(r.Bins) != 1 || aerospike.FenceVersion(int64(value)) != s.Version || aerospike.FenceVersion(-1) != (change.Version{}) {
		t.Errorf("bins %v", r.Bins)
	}
	if r.Expiration != as.TTLDontExpire {
		t.Errorf("TTL %d", r.Expiration)
	}
}

// keyOf returns the key of the record with a state.
func keyOf(t testing.TB, set string, s sink.State) *as.Key {
	t.Helper()
	d := aerospike.FenceDigest(set, s.Digest)
	key, err := as.NewKeyWithDigest("test", set, nil, d[:])
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// States of more records than a batch takes are all there.
func TestFence_manyRecords(t *testing.T) {
	f := openFence(t, server(t), newSet(), "")
	states := make([]sink.State, 1234)
	for i := range states {
		states[i] = stateOf("shop", i, write(int64(i+1), 1))
	}
	record(t, f, states...)
	if verdicts := f.Read(t.Context(), states); verdicts != nil {
		t.Fatal(verdicts)
	}
	for i := range states {
		if states[i].Version.LUT != int64(i+1) {
			t.Errorf("state %d: %+v", i, states[i].Version)
		}
	}
	if f.Read(t.Context(), nil) != nil || f.Write(t.Context(), nil) != nil {
		t.Error("nothing has a verdict")
	}
}

// Two programs write the versions of records in any order, at the same time: the newest stays.
func TestFence_concurrentWriters(t *testing.T) {
	address, set := server(t), newSet()
	const records, versions = 20, 50
	var writing sync.WaitGroup
	for w := range 4 {
		f := openFence(t, address, set, "")
		writing.Go(func() {
			for v := range versions {
				v = (v*13+w*7)%versions + 1
				var states []sink.State
				for i := range records {
					states = append(states, stateOf("shop", i, write(int64(1+v/5), uint32(65530+v)%65535+1)))
				}
				record(t, f, states...)
			}
		})
	}
	writing.Wait()
	f := openFence(t, address, set, "")
	for i := range records {
		if got, want := versionAt(t, f, stateOf("shop", i, change.Version{})), write(1+versions/5, (65530+versions)%65535+1); got != want {
			t.Errorf("record %d: %+v, want %+v", i, got, want)
		}
	}
}

// A value that is no state is an error that names the set; a state that another program wrote
// into the bin of a namespace is not changed into an older one.
func TestFence_strangeBin(t *testing.T) {
	address, set := server(t), newSet()
	f := openFence(t, address, set, "")
	s := stateOf("shop", 1, write(5, 1))
	if err := devnodetest.Connect(t, address).PutBins(nil, keyOf(t, set, s), as.NewBin("shop", "text")); err != nil {
		t.Fatal(err)
	}
	verdicts := f.Read(t.Context(), []sink.State{s, stateOf("shop", 2, change.Version{})})
	if len(verdicts) != 2 || verdicts[0] == nil || verdicts[1] != nil || !strings.Contains(verdicts[0].Error(), "the bin shop in set "+set+" is not a state of a fence") {
		t.Errorf("verdicts %v", verdicts)
	}
}

// faults makes the next batches fail.
type faults struct {
	next  atomic.Pointer[devnode.Fault]
	times atomic.Int64
	seen  atomic.Int64
}

func (f *faults) fault(c devnode.Command) devnode.Fault {
	if c.Kind == devnode.Info {
		return devnode.Fault{}
	}
	f.seen.Add(1)
	if f.times.Add(-1) < 0 {
		return devnode.Fault{}
	}
	next := *f.next.Load()
	if c.Kind != devnode.Batch { // the client sends a batch of one as a single request
		for _, code := range next.Rows {
			next = devnode.Fault{Code: code}
		}
	}
	return next
}

func (f *faults) fail(times int, fault devnode.Fault) {
	f.seen.Store(0)
	f.next.Store(&fault)
	f.times.Store(int64(times))
}

// What may help to be tried again is, a few times; every other failure is the verdict on just the
// states that it is about. A write without an answer leaves the state, or leaves none, and its
// repeat succeeds in both cases.
func TestFence_failures(t *testing.T) {
	const always = 1000
	for _, tt := range []struct {
		name     string
		fault    devnode.Fault
		times    int
		fails    [2]bool // of two states
		requests int64   // at least
	}{
		{"busy key", devnode.Fault{Rows: map[int]devnode.Code{0: 14}}, 1, [2]bool{}, 2},
		{"busy key that stays", devnode.Fault{Rows: map[int]devnode.Code{0: 14}}, always, [2]bool{true, false}, 3},
		{"overloaded device", devnode.Fault{Code: 18}, 2, [2]bool{}, 3},
		{"no answer, not carried out", devnode.Fault{DropBefore: true}, 1, [2]bool{}, 2},
		{"no answer, carried out", devnode.Fault{DropAfter: true}, 1, [2]bool{}, 2},
		{"never an answer", devnode.Fault{DropAfter: true}, always, [2]bool{true, true}, 3},
		{"record refused", devnode.Fault{Rows: map[int]devnode.Code{1: devnode.Forbidden}}, always, [2]bool{false, true}, 1},
		{"namespace full", devnode.Fault{Code: 8}, always, [2]bool{true, true}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var node faults
			n := listen(t, node.fault)
			f := openFence(t, n.Addr(), "fence", "&timeout=1m")
			states := func(v change.Version) []sink.State {
				return []sink.State{stateOf("shop", 1, v), stateOf("shop", 2, v)}
			}
			for what, step := range map[string]func(context.Context, []sink.State) sink.Verdicts{"read": f.Read, "write": f.Write} {
				node.fail(tt.times, tt.fault)
				verdicts := step(t.Context(), states(write(5, 1)))
				for i, fails := range tt.fails {
					if failed := verdicts != nil && verdicts[i] != nil; failed != fails {
						t.Errorf("%s: state %d: verdicts %v", what, i, verdicts)
					}
				}
				if seen := node.seen.Load(); seen < tt.requests {
					t.Errorf("%s: %d requests, want %d", what, seen, tt.requests)
				}
			}
			node.fail(0, devnode.Fault{})
			record(t, f, states(write(6, 1))...)
			record(t, f, states(write(5, 1))...)
			for _, s := range states(change.Version{}) {
				if got := versionAt(t, f, s); got != write(6, 1) {
					t.Errorf("%+v", got)
				}
			}
		})
	}
}

// A state is read, or there is an error: no failure makes a state look as if it did not exist.
func TestFence_failedReadIsNoAbsence(t *testing.T) {
	for _, rows := range []int{1, 2, 3} {
		for _, fault := range []devnode.Fault{{DropBefore: true}, {DropAfter: true}, {Code: 14}, {Code: 18}, {Code: 9}, {Code: 11}, {Rows: map[int]devnode.Code{0: 14}}} {
			for times := range 4 {
				var node faults
				f := openFence(t, listen(t, node.fault).Addr(), "fence", "")
				var states []sink.State
				for i := range rows {
					states = append(states, stateOf("shop", i, write(5, 1)))
				}
				record(t, f, states...)
				node.fail(times, fault)
				verdicts := f.Read(t.Context(), states)
				for i := range states {
					if (verdicts == nil || verdicts[i] == nil) && states[i].Version != write(5, 1) {
						t.Errorf("state %d of %d, %d times %+v: %+v without an error", i, rows, times, fault, states[i].Version)
					}
				}
			}
		}
	}
}

// Reading and writing end after the timeout of the fence, or with the request's time.
func TestFence_slowNode(t *testing.T) {
	release := make(chan struct{})
	n := listen(t, func(c devnode.Command) devnode.Fault {
		if c.Kind != devnode.Info {
			<-release
		}
		return devnode.Fault{}
	})
	defer close(release)
	f := openFence(t, n.Addr(), "fence", "&timeout=50ms")
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	for name, ctx := range map[string]context.Context{"timeout": t.Context(), "request": short} {
		if verdicts := f.Read(ctx, []sink.State{stateOf("shop", 1, change.Version{})}); verdicts == nil || verdicts[0] == nil {
			t.Errorf("%s: no error", name)
		}
		if verdicts := f.Write(ctx, []sink.State{stateOf("shop", 1, write(5, 1))}); verdicts == nil || verdicts[0] == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// What there is no time for has a verdict, also in the batches after the first.
func TestFence_noTimeLeft(t *testing.T) {
	var node faults
	f := openFence(t, listen(t, node.fault).Addr(), "fence", "")
	ended, end := context.WithCancel(t.Context())
	end()
	for name, step := range map[string]func(context.Context, []sink.State) sink.Verdicts{"read": f.Read, "write": f.Write} {
		states := make([]sink.State, 1100)
		for i := range states {
			states[i] = stateOf("shop", i, write(5, 1))
		}
		verdicts := step(ended, states)
		for i := range states {
			if verdicts == nil || verdicts[i] == nil {
				t.Fatalf("%s: state %d has no error", name, i)
			}
		}
	}
	if n := node.seen.Load(); n > 0 {
		t.Errorf("%d requests", n)
	}
}

// A fence that may be passed opens without its cluster, fails while it is away, and is used once
// it can be reached. Any other does not open.
func TestFence_clusterAway(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	spec, err := fenceAt(address, "fence", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := spec.New(t.Context()); err == nil || !strings.Contains(err.Error(), "connect to Aerospike at "+address) {
		t.Errorf("error %v", err)
	}
	if err := spec.Probe(t.Context()); err == nil {
		t.Error("the probe succeeds")
	}
	f := openFence(t, address, "fence", "&on-unavailable=pass")
	s := stateOf("shop", 1, write(5, 1))
	var failing sync.WaitGroup
	for range 8 {
		failing.Go(func() {
			if verdicts := f.Write(t.Context(), []sink.State{s}); verdicts == nil || verdicts[0] == nil {
				t.Error("no error while the cluster is away")
			}
		})
	}
	failing.Wait()
	n, err := devnode.Listen(address, devnode.Config{Namespaces: []string{"test"}})
	if err != nil {
		t.Skipf("the port is taken: %v", err)
	}
	defer func() { _ = n.Close() }()
	changetest.WaitFor(t, "a connection", func() bool { return f.Write(t.Context(), []sink.State{s}) == nil })
	if got := versionAt(t, f, s); got != s.Version {
		t.Errorf("%+v", got)
	}
}

// A cluster that can be reached but not used is an error, also if the fence may be passed.
func TestFence_wrongNamespace(t *testing.T) {
	n := listen(t, nil)
	u, err := url.Parse("aerospike://" + n.Addr() + "/nowhere/fence?mode=fence&on-unavailable=pass")
	if err != nil {
		t.Fatal(err)
	}
	spec, err := aerospike.Parse(u, sink.Options{Timeout: 9 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	_, err = spec.Fence.New(t.Context())
	if probe := spec.Fence.Probe(t.Context()); err == nil || probe == nil || !strings.Contains(errors.Join(err, probe).Error(), "has no namespace nowhere") {
		t.Errorf("errors %v, %v", err, probe)
	}
}

// BenchmarkFence measures reading and writing the state of each record against a node in this
// process.
func BenchmarkFence(b *testing.B) {
	for _, size := range []int{1, 100, 500} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			f := openFence(b, server(b), newSet(), "")
			states := make([]sink.State, size)
			lut := int64(1795350896789)
			b.ReportAllocs()
			for b.Loop() {
				lut++
				for i := range states {
					states[i] = stateOf("shop", i, change.Version{})
				}
				if v := f.Read(b.Context(), states); v != nil {
					b.Fatal(v)
				}
				for i := range states {
					states[i].Version = write(lut, 1)
				}
				if v := f.Write(b.Context(), states); v != nil {
					b.Fatal(v)
				}
			}
			b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "changes/s")
		})
	}
}
