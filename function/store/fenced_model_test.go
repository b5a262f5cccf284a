package store

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/devnode"
	"github.com/aerosink/aerosink/connector/devnode/devnodetest"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/fence"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/aerospike"
)

// history draws the versions of a record as a database makes them: its clock may stand still or
// go back, but no last update time is before another; generations wrap; and a record that was
// deleted begins anew. Only what cannot be ordered is left out: a delete has another last update
// time than the writes around it. If there may be updates, some writes are.
func history(t *rapid.T, record int, updates bool) []format.Parsed {
	v := change.Version{LUT: 100, Generation: rapid.SampledFrom([]uint32{1, 65533}).Draw(t, "first generation")}
	all := []format.Parsed{versionOf("shop", record, v)}
	for clock := v.LUT; rapid.IntRange(0, 4).Draw(t, "more") > 0 && len(all) < 8; {
		clock += rapid.SampledFrom([]int64{-50, 0, 0, 0, 1, 60}).Draw(t, "clock")
		deleted := v.Op.IsDelete()
		v.Op = change.Write
		if !deleted && rapid.IntRange(0, 4).Draw(t, "delete") == 0 {
			v.Op = change.Delete
		}
		if least := v.LUT + 1; deleted || v.Op.IsDelete() {
			v.LUT = max(least, clock)
		} else {
			v.LUT = max(v.LUT, clock)
		}
		if v.Generation = v.Generation%65535 + 1; deleted {
			v.Generation = 1
		}
		p := versionOf("shop", record, v)
		if updates && v.Op == change.Write && rapid.Bool().Draw(t, "update") {
			p.Change.Mode = change.Update
		}
		all = append(all, p)
	}
	return all
}

// plan decides on each step whether it fails. It is drawn in advance, since steps run
// concurrently.
type plan struct {
	mu    sync.Mutex
	steps []bool
}

func drawPlan(t *rapid.T, name string) *plan {
	return &plan{steps: rapid.SliceOfN(rapid.Bool(), 0, 20).Draw(t, name)}
}

func (p *plan) fails() (fails bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.steps) > 0 {
		fails, p.steps = p.steps[0], p.steps[1:]
	}
	return fails
}

// process is one run of the program, until it crashes: then nothing has an effect any more.
type process struct {
	store *Store

	mu      sync.Mutex
	crashed bool
}

var errCrashed = errors.New("the process has crashed")

func (p *process) crash() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.crashed = true
}

func (p *process) err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.crashed {
		return errCrashed
	}
	return nil
}

// run delivers requests to a Store with two sinks, several at once, and repeats each until it
// succeeds. After a crash, a new process goes on.
type run struct {
	t       *rapid.T
	sinks   [2]*journal       // outlive a process
	fence   func() sink.Fence // opens it for a new process
	faults  map[string]*plan
	updates bool // there may be updates, which older versions may follow
	crashes int

	mu  sync.Mutex
	now *process
}

// processSink is a sink of a process. A crash may come before or after a change is stored.
type processSink struct {
	*journal
	fault func() error
}

func (s processSink) Put(ctx context.Context, b sink.Batch) (verdicts sink.Verdicts) {
	for i := range b.Changes {
		err := s.fault()
		if err == nil {
			s.journal.Put(ctx, batchOf(b.Changes[i]))
		}
		verdicts.Set(len(b.Changes), i, err)
	}
	return verdicts
}

// current returns the process that runs, a new one after a crash.
func (r *run) current(t testing.TB) *process {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.now != nil && r.now.err() == nil {
		return r.now
	}
	if r.now != nil {
		r.crashes++
	}
	p := &process{}
	f := &failing{Fence: r.fence()}
	f.read = func(context.Context, *sink.State) error { return r.fault(p, "read") }
	f.write = func(context.Context, *sink.State) error { return r.fault(p, "write") }
	c := config{fence: f}
	for i, name := range []string{"a", "b"} {
		c.sinks = append(c.sinks, processSink{r.sinks[i], func() error { return r.fault(p, name) }})
	}
	p.store = c.open(t)
	r.now = p
	return p
}

// fault returns the error of a step. A step may also be the last of the process.
func (r *run) fault(p *process, step string) error {
	if r.faults["crash"].fails() {
		p.crash()
	}
	switch {
	case p.err() != nil:
		return errCrashed
	case r.faults[step].fails():
		return errLater
	}
	return nil
}

// deliver repeats a request until it has succeeded. Then every sink has each change or a newer
// one.
func (r *run) deliver(t testing.TB, changes []format.Parsed) {
	for {
		p := r.current(t)
		o := p.store.Put(context.Background(), Request{}, batchOf(changes...))
		if !o.IsSuccess() {
			continue
		}
		for i := range changes {
			if !r.has(&changes[i]) {
				r.t.Errorf("%s: answered %v, but a sink has neither it nor a newer one", changes[i].Data, o.Of(i))
			}
		}
		return
	}
}

// has reports whether every sink has the change or a newer version, which has all bins unless
// it is the same.
func (r *run) has(p *format.Parsed) bool {
	for _, j := range r.sinks {
		if !slices.ContainsFunc(j.versions(), func(v format.Parsed) bool {
			if v.Change.Digest != p.Change.Digest || !v.Change.Version().Supersedes(p.Change.Version()) {
				return false
			}
			return v.Change.Version() == p.Change.Version() || v.Change.Mode != change.Update && p.Change.Mode != change.Update
		}) {
			return false
		}
	}
	return true
}

// checkFenced delivers random histories, shuffled, in part several times.
func checkFenced(t *testing.T, rt *rapid.T, faults []string, lasting, updates bool, open func() sink.Fence) {
	r := &run{t: rt, sinks: [2]*journal{{}, {}}, fence: open, updates: updates, faults: map[string]*plan{}}
	for _, name := range []string{"a", "b", "read", "write", "crash"} {
		r.faults[name] = &plan{}
		if slices.Contains(faults, name) {
			r.faults[name] = drawPlan(rt, name)
		}
	}
	var records [][]format.Parsed
	var deliveries []format.Parsed
	for i := range rapid.IntRange(1, 3).Draw(rt, "records") {
		records = append(records, history(rt, i, updates))
		deliveries = append(deliveries, records[i]...)
	}
	for range rapid.IntRange(0, 6).Draw(rt, "repeats") {
		deliveries = append(deliveries, rapid.SampledFrom(deliveries).Draw(rt, "repeat"))
	}
	deliveries = rapid.Permutation(deliveries).Draw(rt, "deliveries")
	requests := make(chan []format.Parsed, len(deliveries))
	for len(deliveries) > 0 {
		n := min(rapid.IntRange(1, 4).Draw(rt, "changes of a request"), len(deliveries))
		requests <- deliveries[:n]
		deliveries = deliveries[n:]
	}
	close(requests)
	var senders sync.WaitGroup
	for range rapid.IntRange(1, 3).Draw(rt, "senders") {
		senders.Go(func() {
			for changes := range requests {
				r.deliver(t, changes)
			}
		})
	}
	senders.Wait()
	for _, j := range r.sinks {
		for i, versions := range records {
			r.check(i, versions, j, lasting)
		}
	}
}

// check compares what a sink has stored of a record with its history.
func (r *run) check(record int, versions []format.Parsed, j *journal, lasting bool) {
	var stored []int // indexes in versions
	for _, p := range j.versions() {
		if p.Change.Digest[0] == byte(record) {
			stored = append(stored, slices.IndexFunc(versions, func(v format.Parsed) bool { return string(v.Data) == string(p.Data) }))
		}
	}
	newest := len(versions) - 1
	switch {
	case !slices.Contains(stored, newest):
		r.t.Errorf("record %d: the newest version, %d, is not among %v", record, newest, stored)
	case r.updates:
		return
	case (lasting || r.crashes == 0) && stored[len(stored)-1] != newest:
		r.t.Errorf("record %d: an older version came after the newest, %d: %v", record, newest, stored)
	case r.crashes == 0 && !slices.IsSorted(stored):
		r.t.Errorf("record %d: an older version came after a newer one: %v", record, stored)
	}
	times := map[int]int{}
	for _, v := range stored {
		if times[v]++; lasting && times[v] > 1+r.crashes || r.crashes == 0 && times[v] > 1 {
			r.t.Errorf("record %d: version %d was stored %d times with %d crashes: %v", record, v, times[v], r.crashes, stored)
		}
	}
}

// With a fence that lasts, no sink is left with an older version, however changes are shuffled
// and repeated, sinks and fence fail, and the process crashes. Only a crash repeats a change.
func TestStore_fencedHistories(t *testing.T) {
	for name, faults := range map[string][]string{
		"without faults": nil,
		"a sink fails":   {"a"},
		"fence fails":    {"read", "write"},
		"all of it":      {"a", "b", "read", "write", "crash"},
		"crashes":        {"crash"},
	} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				kept := fence.NewMemory(1 << 16)
				checkFenced(t, rt, faults, true, false, func() sink.Fence { return kept })
			})
		})
	}
}

// A fence that forgets at a crash loses nothing either.
func TestStore_fencedHistoriesForgotten(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		checkFenced(t, rt, []string{"a", "b", "crash"}, false, false, func() sink.Fence { return fence.NewMemory(1 << 16) })
	})
}

// With updates of some bins, an older version may follow a newer one, but nothing is lost.
func TestStore_fencedHistoriesWithUpdates(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		kept := fence.NewMemory(1 << 16)
		checkFenced(t, rt, []string{"a", "b", "read", "write", "crash"}, true, true, func() sink.Fence { return kept })
	})
}

// The same with a fence in Aerospike, which each process opens anew. Its node fails too: it
// answers with an error, or not at all, before or after it has carried a request out.
func TestStore_fencedHistoriesInAerospike(t *testing.T) {
	var broken atomic.Pointer[plan]
	broken.Store(&plan{})
	var requests atomic.Int64
	node := devnodetest.Start(t, devnode.Config{Namespaces: []string{"state"}, Fault: func(c devnode.Command) devnode.Fault {
		if c.Kind == devnode.Info || !broken.Load().fails() {
			return devnode.Fault{}
		}
		return []devnode.Fault{{DropAfter: true}, {DropBefore: true}, {Code: 14}}[requests.Add(1)%3]
	}})
	for name, faults := range map[string][]string{"crashes": {"crash"}, "all of it": {"a", "b", "read", "write", "crash"}} {
		t.Run(name, func(t *testing.T) {
			sets := 0
			rapid.Check(t, func(rt *rapid.T) {
				sets++ // each check begins with no states
				u, err := url.Parse(fmt.Sprintf("aerospike://%s/state/%s-%d?mode=fence&timeout=1m", node.Addr(), name[:3], sets))
				if err != nil {
					rt.Fatal(err)
				}
				spec, err := aerospike.Parse(u, sink.Options{Timeout: time.Minute})
				if err != nil {
					rt.Fatal(err)
				}
				broken.Store(drawPlan(rt, "node"))
				checkFenced(t, rt, faults, true, rapid.Bool().Draw(rt, "updates"), func() sink.Fence {
					f, err := spec.Fence.New(t.Context())
					if err != nil {
						rt.Fatal(err)
					}
					rt.Cleanup(func() { _ = f.Close() })
					return f
				})
			})
		})
	}
}
