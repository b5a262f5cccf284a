package audit_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	as "github.com/aerospike/aerospike-client-go/v7"
	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/devnode"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
	"github.com/aerosink/aerosink/function/audit"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/aerospike"
)

// fill writes records 0 to n-1 an hour ago, and archives those for which has is true. It
// returns the kinds of the others.
func fill(c *cluster, a *archive, n int, has func(i int) bool) map[change.Digest]audit.Kind {
	c.t.Helper()
	c.clock.behind.Store(int64(time.Hour))
	c.load(0, n, 100_000)
	c.clock.behind.Store(0)
	missing := map[change.Digest]audit.Kind{}
	var changes []change.Change
	for i := range n {
		if has(i) {
			changes = append(changes, c.state(i))
		} else {
			missing[c.digest(i)] = audit.Missing
		}
	}
	a.add(changes...)
	return missing
}

func most(i int) bool { return i%10 != 3 }

// A change that has not arrived yet is no finding within the margin, and is one after it.
func TestRun_margin(t *testing.T) {
	c, a := newNode(t, devnode.Config{}), newArchive(t)
	missing := fill(c, a, 20, most)
	c.put(3, 0)    // the archive has nothing of it
	c.put(4, 0)    // the archive has generation 1
	c.put(1000, 0) // new
	o := options(c, a)
	o.Margin = time.Minute
	delete(missing, c.digest(3))
	got, sum, err := run(t, o)
	if err != nil || !maps.Equal(got, missing) || sum.UnderWay != 1 {
		t.Errorf("within the margin: error %v, %+v\n%s", err, sum, cmp.Diff(missing, got))
	}
	wait(t, 0)
	o.Margin = 0
	missing[c.digest(3)], missing[c.digest(4)], missing[c.digest(1000)] = audit.Missing, audit.Stale, audit.Missing
	got, _, err = run(t, o)
	if err != nil || !maps.Equal(got, missing) {
		t.Errorf("after the margin: error %v\n%s", err, cmp.Diff(missing, got))
	}
}

// A delete that reaches the archive only after the record was looked for is no finding, and
// neither is a version that comes late.
func TestRun_underWay(t *testing.T) {
	var c *cluster
	a := newArchive(t)
	var once atomic.Bool
	late := func() {}
	c = newNode(t, devnode.Config{Fault: func(command devnode.Command) devnode.Fault {
		if command.Kind == devnode.Batch && !command.Writes && once.CompareAndSwap(false, true) {
			late() // the suspects are being read
		}
		return devnode.Fault{}
	}})
	once.Store(true)
	missing := fill(c, a, 40, most)
	deleted, again, lost := c.state(4), c.state(5), c.state(6)
	c.delete(4)
	c.delete(5)
	c.put(5, 0)
	c.delete(6)
	now := time.Now().UnixMilli()
	deleted.Op, deleted.Generation, deleted.LUT = change.Delete, deleted.Generation+1, now
	again.LUT = now
	arrived := c.state(3)
	late = func() { a.add(deleted, again, arrived) }
	once.Store(false)
	delete(missing, c.digest(3))
	missing[lost.Digest] = audit.Unexpected
	o := options(c, a)
	o.Margin = 2 * time.Second
	got, sum, err := run(t, o)
	if err != nil || !maps.Equal(got, missing) || !once.Load() {
		t.Errorf("error %v, %+v\n%s", err, sum, cmp.Diff(missing, got))
	}
	if text := o.Out.(*changetest.Output).String(); !strings.Contains(text, "waiting ") {
		t.Errorf("it does not say what it waits for: %q", text)
	}
}

// An audit that was interrupted, whenever that was, continues and finds what an audit without
// an interruption finds.
func TestRun_continues(t *testing.T) {
	var scans, stopAt atomic.Int64
	stop := func() {}
	c, a := newNode(t, devnode.Config{Fault: func(command devnode.Command) devnode.Fault {
		if command.Kind == devnode.Scan && scans.Add(1) == stopAt.Load() {
			stop()
		}
		return devnode.Fault{}
	}}), newArchive(t)
	missing := fill(c, a, 500, most)
	o := options(c, a)
	want, whole, err := run(t, o)
	if err != nil || !maps.Equal(want, missing) || scans.Load() < 5 {
		t.Fatalf("error %v, %d scans\n%s", err, scans.Load(), cmp.Diff(missing, want))
	}
	o.Checkpoint = filepath.Join(t.TempDir(), "audit")
	o.Found = func(audit.Finding) error { return nil }
	for at := range int64(4) {
		scans.Store(0)
		stopAt.Store(1 + at)
		ctx, cancel := context.WithCancel(t.Context())
		stop = cancel
		_, err := audit.Run(ctx, o)
		cancel()
		if err == nil || !strings.Contains(err.Error(), "to continue from "+o.Checkpoint) {
			t.Fatalf("interrupted in scan %d: error %v", 1+at, err)
		}
	}
	scans.Store(0)
	stopAt.Store(-1)
	got, sum, err := run(t, o)
	if err != nil || !maps.Equal(got, want) || sum.Database != whole.Database || sum.Archive != whole.Archive || sum.Same != whole.Same {
		t.Errorf("error %v, %+v, want %+v\n%s", err, sum, whole, cmp.Diff(want, got))
	}
	if left, err := filepath.Glob(o.Checkpoint + "*"); err != nil || len(left) > 0 {
		t.Errorf("the end left %v, error %v", left, err)
	}
}

// An interrupted audit without a checkpoint says how the next one can continue, and leaves no
// files.
func TestRun_interrupted(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	c, a := newNode(t, devnode.Config{Fault: func(command devnode.Command) devnode.Fault {
		if command.Kind == devnode.Scan {
			cancel()
		}
		return devnode.Fault{}
	}}), newArchive(t)
	fill(c, a, 20, most)
	o := options(c, a)
	if _, err := audit.Run(ctx, o); err == nil || !strings.Contains(err.Error(), "-checkpoint FILE") {
		t.Errorf("error %v", err)
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
		t.Errorf("%v is left, error %v", left, err)
	}
}

// A node that is away for a while delays an audit, and changes nothing of what it finds.
func TestRun_nodeAway(t *testing.T) {
	for kind, failures := range map[devnode.Kind]int64{devnode.Scan: 10, devnode.Batch: 5} {
		t.Run(string(kind), func(t *testing.T) {
			var away atomic.Int64
			c, a := newNode(t, devnode.Config{Fault: func(command devnode.Command) devnode.Fault {
				return devnode.Fault{DropBefore: command.Kind == kind && !command.Writes && away.Add(-1) > 0}
			}}), newArchive(t)
			missing := fill(c, a, 300, most)
			away.Store(failures)
			o := options(c, a)
			got, _, err := run(t, o)
			if err != nil || !maps.Equal(got, missing) {
				t.Errorf("error %v\n%s", err, cmp.Diff(missing, got))
			}
			if text := o.Out.(*changetest.Output).String(); !strings.Contains(text, ": retrying in ") {
				t.Errorf("it does not say that it retries: %q", text)
			}
		})
	}
}

// What a cluster refuses for good ends the audit, and is not tried again.
func TestRun_refused(t *testing.T) {
	for kind, codes := range map[devnode.Kind][]devnode.Code{devnode.Scan: {81, 80, 16}, devnode.Batch: {81, 16}} {
		for _, code := range codes {
			c, a := newNode(t, devnode.Config{Fault: func(command devnode.Command) (f devnode.Fault) {
				if command.Kind == kind && !command.Writes {
					f.Code = code
				}
				return f
			}}), newArchive(t)
			fill(c, a, 20, most)
			o := options(c, a)
			_, _, err := run(t, o)
			if want := fmt.Sprintf("code %d, ", code); !change.IsPermanent(err) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %v, want one with %s", kind, err, want)
			}
			if text := o.Out.(*changetest.Output).String(); strings.Contains(text, "retrying") {
				t.Errorf("%s: %s", kind, text)
			}
		}
	}
}

// A node may end in the middle, and be started again.
func TestRun_nodeRestarts(t *testing.T) {
	var scans atomic.Int64
	var restart sync.WaitGroup
	var c *cluster
	config := devnode.Config{Namespaces: []string{"shop"}, Source: &xdrtest.Source{}}
	config.Fault = func(command devnode.Command) devnode.Fault {
		if command.Kind != devnode.Scan || scans.Add(1) != 5 {
			return devnode.Fault{}
		}
		restart.Go(func() { // it waits for this request
			if err := c.node.Close(); err != nil {
				t.Error(err)
			}
			again, err := devnode.Listen(c.address, config)
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(func() { _ = again.Close() })
		})
		return devnode.Fault{DropBefore: true}
	}
	c = newNode(t, config)
	a := newArchive(t)
	missing := fill(c, a, 300, most)
	o := options(c, a)
	got, _, err := run(t, o)
	restart.Wait()
	if err != nil || !maps.Equal(got, missing) || scans.Load() < 10 {
		t.Errorf("error %v, %d scans\n%s", err, scans.Load(), cmp.Diff(missing, got))
	}
	if text := o.Out.(*changetest.Output).String(); !strings.Contains(text, "XDR is 1h0m") {
		t.Errorf("it does not say that nothing is shipped: %q", text)
	}
}

// A record that is gone when it is read again may have to be read once more, because another
// one could not be read.
func TestRun_goneAndAway(t *testing.T) {
	var reads atomic.Int64
	var c *cluster
	reads.Store(-1_000_000)
	c = newNode(t, devnode.Config{Fault: func(command devnode.Command) devnode.Fault {
		if command.Kind != devnode.Batch || command.Writes {
			return devnode.Fault{}
		}
		n := reads.Add(1)
		if n == 1 {
			for i := range 2000 {
				c.node.Source().Delete("shop", c.digest(i), change.Delete)
			}
		}
		return devnode.Fault{DropBefore: n > 1 && n < 8}
	}})
	a := newArchive(t)
	missing := fill(c, a, 3000, func(i int) bool { return i >= 2500 })
	for i := range 2000 {
		delete(missing, c.digest(i))
	}
	reads.Store(0)
	got, sum, err := run(t, options(c, a))
	if err != nil || !maps.Equal(got, missing) || reads.Load() < 9 {
		t.Errorf("error %v, %d reads, %+v\n%s", err, reads.Load(), sum, cmp.Diff(missing, got))
	}
}

// Two namespaces may have records with the same digest.
func TestRun_namespaces(t *testing.T) {
	c, a := newNode(t, devnode.Config{}), newArchive(t)
	missing := fill(c, a, 50, most)
	var others []change.Change
	for i := range 50 {
		other := c.state(i)
		other.Namespace, other.Generation, other.LUT = "other", other.Generation+7, other.LUT+1
		if i%2 == 0 {
			other.Op = change.Delete
		}
		others = append(others, other)
	}
	a.add(others...)
	got, sum, err := run(t, options(c, a))
	if err != nil || !maps.Equal(got, missing) || sum.Archive != int64(50-len(missing)) {
		t.Errorf("error %v, %+v\n%s", err, sum, cmp.Diff(missing, got))
	}
}

// With a set, or without some sets, the others are not compared.
func TestRun_sets(t *testing.T) {
	c, a := newNode(t, devnode.Config{}), newArchive(t)
	missing := fill(c, a, 50, most)
	c.set = "states"
	others := fill(c, a, 20, most)
	c.set = "gone"
	gone := c.absent(7)
	a.add(gone)
	c.set = "orders"
	o := options(c, a)
	if got, sum, err := run(t, o); err != nil || !maps.Equal(got, missing) || sum.Database != 50 {
		t.Errorf("the set orders: error %v, %+v\n%s", err, sum, cmp.Diff(missing, got))
	}
	o.Against.Set = ""
	all := maps.Clone(missing)
	maps.Copy(all, others)
	all[gone.Digest] = audit.Unexpected
	if got, sum, err := run(t, o); err != nil || !maps.Equal(got, all) || sum.Database != 70 {
		t.Errorf("all sets: error %v, %+v\n%s", err, sum, cmp.Diff(all, got))
	}
	o.Ignore = []string{"states", "gone"}
	if got, sum, err := run(t, o); err != nil || !maps.Equal(got, missing) || sum.Database != 50 {
		t.Errorf("without states and gone: error %v, %+v\n%s", err, sum, cmp.Diff(missing, got))
	}
}

// absent returns a change of a record that the database does not have.
func (c *cluster) absent(n int) change.Change {
	return change.Change{Namespace: c.namespace, Set: c.set, Digest: c.digest(n), Generation: 1, LUT: time.Now().Add(-time.Hour).UnixMilli()}
}

// With since, only records that changed later are compared.
func TestRun_since(t *testing.T) {
	c, a := newNode(t, devnode.Config{}), newArchive(t)
	fill(c, a, 50, most) // an hour ago
	gone := c.absent(1000)
	gone.LUT -= 1000
	a.add(gone)
	c.clock.behind.Store(int64(10 * time.Minute))
	c.put(3, 0)
	c.put(4, 0)
	c.put(5, 0)
	a.add(c.state(5))
	c.delete(6)
	c.clock.behind.Store(0)
	o := options(c, a)
	o.Since = time.Now().Add(-30 * time.Minute)
	want := map[change.Digest]audit.Kind{c.digest(3): audit.Missing, c.digest(4): audit.Stale}
	got, sum, err := run(t, o)
	if err != nil || !maps.Equal(got, want) || sum.Database != 3 {
		t.Errorf("error %v, %+v\n%s", err, sum, cmp.Diff(want, got))
	}
}

// Names that are wrong must not look like losses, nor like an archive that is complete.
func TestRun_wrongNames(t *testing.T) {
	c, a := newNode(t, devnode.Config{}), newArchive(t)
	fill(c, a, 20, most)
	for want, spoil := range map[string]func(*audit.Options){
		"no namespace nowhere":                             func(o *audit.Options) { o.Against.Namespace = "nowhere" },
		`has no record of namespace "other", set "orders"`: func(o *audit.Options) { o.Against.Namespace = "other" },
		`has no record of namespace "shop", set "order"`:   func(o *audit.Options) { o.Against.Set = "order" },
		"no such file or directory":                        func(o *audit.Options) { o.From += "/nothing" },
	} {
		o := options(c, a)
		spoil(&o)
		o.Found = func(f audit.Finding) error { return errors.New("found " + string(f.Kind)) }
		if _, err := audit.Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// What a damaged object had is missing. The summary says that the archive is not complete.
func TestRun_damagedArchive(t *testing.T) {
	c, a := newNode(t, devnode.Config{}), newArchive(t)
	missing := fill(c, a, 50, most)
	a.write([]byte("{}\nnonsense\n"))
	if err := os.WriteFile(filepath.Join(a.folder, "x.avro"), []byte("Obj\x01"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := options(c, a)
	got, sum, err := run(t, o)
	if err != nil || !maps.Equal(got, missing) || sum.Complete() || sum.Damaged != 1 || sum.Unreadable != 2 {
		t.Errorf("error %v, %+v\n%s", err, sum, cmp.Diff(missing, got))
	}
	if text := o.Out.(*changetest.Output).String(); !strings.Contains(text, "x.avro: damaged") || !strings.Contains(text, ".ndjson:2: not a change") {
		t.Errorf("it does not say what is damaged: %q", text)
	}
}

// The error of whoever takes the findings ends the audit.
func TestRun_findingsNotTaken(t *testing.T) {
	c, a := newNode(t, devnode.Config{}), newArchive(t)
	fill(c, a, 20, most)
	o := options(c, a)
	full := errors.New("disk full")
	o.Found = func(audit.Finding) error { return full }
	if _, err := audit.Run(t.Context(), o); !errors.Is(err, full) {
		t.Errorf("error %v", err)
	}
}

// A rate bounds what is scanned and read, however small the ranges are.
func TestRun_rate(t *testing.T) {
	c, a := newNode(t, devnode.Config{}), newArchive(t)
	missing := fill(c, a, 100, most)
	o := options(c, a)
	o.Rate = 200
	begun := time.Now()
	got, _, err := run(t, o)
	if err != nil || !maps.Equal(got, missing) {
		t.Errorf("error %v\n%s", err, cmp.Diff(missing, got))
	}
	// 100 records are scanned, and 10 of them read again. The first step need not wait.
	if took, least := time.Since(begun), 450*time.Millisecond; took < least {
		t.Errorf("110 records at 200 a second took %s, want at least %s", took, least)
	}
}

// The states of a fence can be audited as well: they have versions, but neither sets nor
// expiries.
func TestRun_fence(t *testing.T) {
	c, a := newNode(t, devnode.Config{}), newArchive(t)
	fill(c, a, 60, most)
	u, err := url.Parse("aerospike://" + c.address + "/other/states?mode=fence")
	if err != nil {
		t.Fatal(err)
	}
	spec, err := aerospike.Parse(u, sink.Options{Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	fence, err := spec.Fence.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = fence.Close() }()
	want := map[change.Digest]audit.Kind{}
	var states []sink.State
	add := func(s change.Change) {
		states = append(states, sink.State{Namespace: c.namespace, Digest: s.Digest, Version: s.Version()})
	}
	for i := range 60 {
		s := c.state(i)
		switch {
		case !most(i):
			want[s.Digest] = audit.Missing
			continue
		case i == 5:
			s.Generation, s.LUT = 65535, s.LUT-10
			want[s.Digest] = audit.Stale
		case i == 6:
			s.Op, s.LUT = change.Delete, s.LUT+10
			want[s.Digest] = audit.Revived
		case i == 7:
			c.delete(7)
			want[s.Digest] = audit.Unexpected
		}
		add(s)
		if i%3 == 0 { // a record of another namespace with the same digest
			states = append(states, sink.State{Namespace: "other", Digest: s.Digest, Version: change.Version{LUT: s.LUT + 99, Generation: 9}})
		}
	}
	for i, err := range fence.Write(t.Context(), states) {
		if err != nil {
			t.Fatalf("state %d: %v", i, err)
		}
	}
	o := options(c, a)
	o.From, o.Against.Set = "the fence", ""
	cluster := aerospike.ParseCluster(u, sink.NewQuery(u), 10*time.Second)
	o.Fence = &cluster
	got, sum, err := run(t, o)
	if err != nil || !maps.Equal(got, want) || sum.Archive != int64(53) {
		t.Errorf("error %v, %+v\n%s", err, sum, cmp.Diff(want, got))
	}
	o.Fence.Set = "nothing"
	if _, _, err := run(t, o); err == nil || !strings.Contains(err.Error(), `the fence has no record of namespace "shop"`) {
		t.Errorf("another set: error %v", err)
	}
	c.namespace, c.set = "other", "data"
	c.put(1, 0)
	key := c.key(1)
	if err := c.client.Put(nil, key, as.BinMap{aerospike.FenceBin("shop"): "text"}); err != nil {
		t.Fatal(err)
	}
	o.Fence.Set = "data"
	if _, _, err := run(t, o); err == nil || !strings.Contains(err.Error(), "is not a state of a fence") {
		t.Errorf("a set with other records: error %v", err)
	}
}
