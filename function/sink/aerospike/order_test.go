package aerospike

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	as "github.com/aerospike/aerospike-client-go/v7"
	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/devnode"
	"github.com/aerosink/aerosink/connector/devnode/devnodetest"
	"github.com/aerosink/aerosink/function/sink"
)

// fataler is a *testing.T or a *rapid.T.
type fataler interface {
	Fatal(...any)
	Fatalf(string, ...any)
}

// process takes a change through the steps of an attempt, one at a time, as a process that
// may be stopped between any two of them.
type process struct {
	s      *records
	change change.Change
	put    *put
	a      attempt
	rows   []*row
	step   int
}

// next takes the next step. It reports whether the change has its verdict then.
func (p *process) next(t fataler) (done bool) {
	if p.put == nil {
		b := batch(p.change)
		p.put = newPut(&p.s.config, b)
		r, err := p.s.row(&b.Changes[0].Change, now)
		if err != nil {
			t.Fatal(err)
		}
		p.rows = []*row{r}
	}
	switch p.step {
	case 0:
		p.a = attempt{records: p.s, put: p.put, ctx: context.Background()}
		p.rows = p.a.readTargets(p.rows)
	case 1:
		p.rows = p.a.writeStates(p.rows)
	case 2:
		p.rows = p.a.write(p.rows)
	case 3:
		p.a.readCreated(p.rows)
		p.rows = nil
	}
	p.step++
	if len(p.rows) == 0 {
		p.rows, p.step = p.a.again, 0
	}
	for _, err := range p.put.verdicts {
		if err != nil {
			t.Fatalf("%+v: %v", p.change, err)
		}
	}
	return len(p.rows) == 0
}

// A process is stopped between two steps while others apply newer changes, and goes on. What
// it does then does not harm them.
func TestRecords_stoppedProcess(t *testing.T) {
	deleting := func(v int, name string) change.Change {
		return set(updated(v), func(c *change.Change) { c.Bins = []change.Bin{{Name: name}} })
	}
	named := func(v int, name string) change.Change {
		return set(updated(v, name), func(c *change.Change) { c.Mode = change.Replace })
	}
	moved := func(changes []change.Change, d change.Digest) (all []change.Change) {
		for _, c := range changes {
			c.Digest = d
			all = append(all, c)
		}
		return all
	}
	address := server(t)
	s := openAt(t, address, "/test?mode=records", sink.Options{}).(*records)
	c := devnodetest.Connect(t, address)
	const afterRead, afterState, afterWrite = 1, 2, 3
	for _, tt := range []struct {
		name      string
		before    []change.Change
		stopped   change.Change
		step      int // it takes before it is stopped
		meanwhile []change.Change
		want      []string // bins
	}{
		{"a newer write", []change.Change{written(1)}, named(2, "a"), afterState, []change.Change{named(3, "b")}, []string{"b"}},
		{"a newer write, before the state", []change.Change{written(1)}, named(2, "a"), afterRead, []change.Change{named(3, "b")}, []string{"b"}},
		{"a newer delete", []change.Change{written(1)}, named(2, "a"), afterState, []change.Change{removed(3)}, nil},
		{"deleted and created again, with the same generation", []change.Change{written(1)}, named(2, "a"), afterState, []change.Change{removed(3), named(4, "b")}, []string{"b"}},
		{"a delete, deleted and created again", []change.Change{written(1)}, removed(2), afterState, []change.Change{removed(3), named(4, "b")}, []string{"b"}},
		{"an update, deleted and created again", []change.Change{written(1)}, updated(2, "a"), afterState, []change.Change{removed(3), named(4, "b")}, []string{"b"}},
		{"created and deleted", nil, named(2, "a"), afterState, []change.Change{named(3, "b"), removed(4)}, nil},
		{"created and deleted, the state is checked", nil, named(2, "a"), afterWrite, []change.Change{named(3, "b"), removed(4)}, nil},
		{"a delete of what is created late", nil, removed(3), afterRead, []change.Change{named(2, "a")}, nil},
		{"an update of an absent record, created and deleted", nil, updated(2, "a"), afterState, []change.Change{named(3, "b"), removed(4)}, nil},
		{"the last bin is deleted", nil, named(2, "a"), afterState, []change.Change{named(3, "b"), deleting(4, "b")}, nil},
		{"a newer update", []change.Change{written(1)}, named(2, "a"), afterState, []change.Change{updated(3, "b")}, []string{"a", "b"}},
		{"a newer update of the same bin", []change.Change{written(1)}, named(2, "b"), afterState, []change.Change{deleting(3, "b")}, nil},
		{"an older update", []change.Change{written(1)}, updated(3, "b"), afterState, []change.Change{updated(2, "a", "b")}, []string{"a", "b", "i"}},
		{"nothing", []change.Change{written(1)}, named(2, "a"), afterState, nil, []string{"a"}},
	} {
		for _, dies := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/dies %t", tt.name, dies), func(t *testing.T) {
				at := fresh()
				tt := tt
				tt.before, tt.meanwhile = moved(tt.before, at), moved(tt.meanwhile, at)
				tt.stopped.Digest = at
				store(t, s, tt.before...)
				p := &process{s: s, change: tt.stopped}
				for range tt.step {
					if p.next(t) {
						t.Fatal("it has its verdict already")
					}
				}
				store(t, s, tt.meanwhile...)
				if dies { // it takes one more step, and the change comes again
					p.next(t)
					store(t, s, tt.stopped)
				} else {
					for !p.next(t) { // until it has its verdict
					}
				}
				var got []string
				if r := get(t, c, "test", at); r != nil {
					got = slices.Sorted(maps.Keys(r.Bins))
				}
				if !slices.Equal(got, tt.want) {
					t.Errorf("bins %v, want %v", got, tt.want)
				}
			})
		}
	}
}

// Whatever the order in which processes take their steps, and wherever some end, the record
// has the newest value of each bin once each change has its verdict.
func TestRecords_anyInterleaving(t *testing.T) {
	address := server(t)
	s := openAt(t, address, "/test?mode=records", sink.Options{}).(*records)
	c := devnodetest.Connect(t, address)
	rapid.Check(t, func(t *rapid.T) {
		changes, want := history(t, fresh(), 4)
		var running []*process
		start := func(c change.Change) { running = append(running, &process{s: s, change: c}) }
		for _, c := range changes {
			for range rapid.IntRange(1, 2).Draw(t, "copies") {
				start(c)
			}
		}
		ends := rapid.IntRange(0, 2).Draw(t, "processes that end")
		for len(running) > 0 {
			i := rapid.IntRange(0, len(running)-1).Draw(t, "next")
			p := running[i]
			if ends > 0 && rapid.IntRange(0, 9).Draw(t, "ends") == 0 {
				ends--
				running = slices.Delete(running, i, i+1)
				start(p.change) // it has no verdict, so it comes again
				continue
			}
			if p.next(t) {
				running = slices.Delete(running, i, i+1)
			}
		}
		if has := binsOf(t, c, changes[0].Digest); !maps.Equal(has, want) {
			t.Fatalf("the record is %v, want %v", has, want)
		}
	})
}

// history draws the changes of a record, and returns the bins that it has after them. In some
// histories all have the same last update time, and generations wrap; there are no deletes
// in those, since nothing tells in which order they are with a write.
func history(t *rapid.T, d change.Digest, most int) (changes []change.Change, bins map[string]any) {
	bins = map[string]any{}
	tied, kinds := rapid.IntRange(0, 3).Draw(t, "tied") == 0, 0
	if tied {
		kinds = 1
	}
	length := rapid.IntRange(1, most).Draw(t, "versions")
	for v := 1; v <= length; v++ {
		c := updated(v, someBins.Draw(t, "bins")...)
		switch rapid.IntRange(kinds, 4).Draw(t, "kind") {
		case 0:
			c = removed(v)
			clear(bins)
		case 1, 2:
			c.Mode = change.Replace
			clear(bins)
		}
		if c.Digest = d; tied {
			c.LUT, c.Generation = now.UnixMilli(), uint32((65532+v)%65535+1)
		}
		for i := range c.Bins {
			name := c.Bins[i].Name
			bins[name] = v
			if c.Mode == change.Update && rapid.IntRange(0, 4).Draw(t, "deleted") == 0 {
				c.Bins[i].Value = change.Value{}
				delete(bins, name)
			}
		}
		changes = append(changes, c)
	}
	return changes, bins
}

var someBins = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c", "d"}), 1, 3, rapid.ID)

// binsOf returns the bins of a record, none if it is absent.
func binsOf(t *rapid.T, c *as.Client, d change.Digest) map[string]any {
	key, err := as.NewKeyWithDigest("test", testSet, nil, d[:])
	if err != nil {
		t.Fatal(err)
	}
	r, asErr := c.Get(nil, key)
	switch {
	case asErr == nil:
		return r.Bins
	case !asErr.Matches(2):
		t.Fatal(asErr)
	}
	return nil
}

// Two sinks, as two processes, get the versions of records in any order and several times.
// Each record ends as its newest version.
func TestRecords_concurrentProcesses(t *testing.T) {
	address := server(t)
	var group sync.WaitGroup
	var all []change.Change
	const keys, versions = 20, 30
	newest := map[change.Digest]change.Change{}
	for k := range keys {
		d := fresh()
		for v := 1; v <= versions; v++ {
			c := written(v)
			if (v+k)%5 == 0 {
				c = removed(v)
			}
			c.Digest = d
			all = append(all, c, c)
			newest[c.Digest] = c
		}
	}
	for p := range 2 {
		s := openAt(t, address, "/test?mode=records", sink.Options{})
		for part := range 4 {
			group.Go(func() {
				mine := slices.Clone(all)
				r := rand.New(rand.NewPCG(uint64(p), uint64(part)))
				r.Shuffle(len(mine), func(i, j int) { mine[i], mine[j] = mine[j], mine[i] })
				for b := range slices.Chunk(mine, 100) {
					store(t, s, b...)
				}
			})
		}
	}
	group.Wait()
	c := devnodetest.Connect(t, address)
	for d, want := range newest {
		r := get(t, c, "test", d)
		if gone := want.Op.IsDelete(); gone != (r == nil) || !gone && r.Bins["i"] != int(want.Generation) {
			t.Errorf("record %s is %v, want %s of version %d", d, r, want.Op, want.Generation)
		}
	}
}

// Two sinks get all changes of a record at the same time, in any order, while connections
// break before or after a command was carried out. Each change comes again until it has its
// verdict; then each bin has its newest value.
func TestRecords_failingConnections(t *testing.T) {
	var failing atomic.Bool
	n := node(t, devnode.Config{Now: clock(), Fault: func(c devnode.Command) (f devnode.Fault) {
		if c.Kind != devnode.Info && failing.Load() {
			switch rand.IntN(40) { // the client gives a node up for a second after 100 errors
			case 0:
				f.DropBefore = true
			case 1:
				f.DropAfter = true
			}
		}
		return f
	}})
	sinks := []sink.Sink{open(t, n, "/test?mode=records", sink.Options{}), open(t, n, "/test?mode=records", sink.Options{})}
	c := dial(t, n)
	rapid.Check(t, func(t *rapid.T) {
		changes, want := history(t, fresh(), 6)
		orders := [2][]change.Change{rapid.Permutation(changes).Draw(t, "one"), rapid.Permutation(changes).Draw(t, "other")}
		failing.Store(true)
		var group sync.WaitGroup
		var left atomic.Int32
		for i, s := range sinks {
			group.Go(func() {
				for _, c := range orders[i] {
					for began := time.Now(); ; {
						verdicts := s.Put(context.Background(), batch(c))
						if verdicts == nil || verdicts[0] == nil {
							break
						}
						if time.Since(began) > time.Minute || change.IsPermanent(verdicts[0]) {
							left.Add(1)
							return
						}
					}
				}
			})
		}
		group.Wait()
		failing.Store(false)
		if left.Load() > 0 {
			t.Fatal("a change was not stored in the end")
		}
		if has := binsOf(t, c, changes[0].Digest); !maps.Equal(has, want) {
			t.Fatalf("the record is %v, want %v", has, want)
		}
	})
}

// Updates of some bins and changes of whole records may come in any order and several times:
// each bin ends with its newest value.
func TestRecords_updatesInAnyOrder(t *testing.T) {
	address := server(t)
	s := openAt(t, address, "/test?mode=records", sink.Options{})
	c := devnodetest.Connect(t, address)
	rapid.Check(t, func(t *rapid.T) {
		changes, want := history(t, fresh(), 6)
		for _, c := range rapid.Permutation(append(slices.Clone(changes), changes...)).Draw(t, "deliveries") {
			for _, err := range s.Put(context.Background(), batch(c)) {
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		if has := binsOf(t, c, changes[0].Digest); !maps.Equal(has, want) {
			t.Fatalf("the record is %v, want %v", has, want)
		}
	})
}

// A touch says only when a record expires. It neither creates a record, nor does an older
// one shorten its life.
func TestRecords_touch(t *testing.T) {
	n := node(t, devnode.Config{})
	c := dial(t, n)
	s := open(t, n, "/test?mode=records", sink.Options{})
	touch := func(v int, seconds int64) change.Change {
		return set(updated(v), func(c *change.Change) { c.Expiry = now.Unix() + seconds })
	}
	if err := verdict(t, s, touch(1, 100)); !change.IsPermanent(err) {
		t.Errorf("a touch of an absent record: %v", err)
	}
	store(t, s, written(2), touch(4, 5000), touch(3, 50), touch(4, 5000))
	if r := get(t, c, "test", written(0).Digest); r.Expiration < 4000 || r.Expiration > 5000 || r.Bins["i"] != 2 {
		t.Errorf("the record is %v, and expires in %d s", r.Bins, r.Expiration)
	}
	store(t, s, updated(3, "a"))
	if r := get(t, c, "test", written(0).Digest); r.Expiration < 4000 || r.Bins["a"] != 3 {
		t.Errorf("after an older update: the record is %v, and expires in %d s", r.Bins, r.Expiration)
	}
}
