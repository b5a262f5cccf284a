package xdrtest_test

import (
	"bytes"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
)

// A record is counted up by several goroutines, and no step is lost.
func TestSource_Update(t *testing.T) {
	s := &xdrtest.Source{}
	count := func(now *change.Change) *change.Change {
		n := int64(0)
		if now != nil {
			n = now.Bins[0].Value.Integer()
		}
		return &change.Change{Set: "counters", Bins: []change.Bin{integer("n", n+1)}}
	}
	var counting sync.WaitGroup
	for range 4 {
		counting.Go(func() {
			for range 250 {
				s.Update("test", digest(1), count)
			}
		})
	}
	counting.Wait()
	got := s.Get("test", digest(1))
	if got.Bins[0].Value.Integer() != 1000 || got.Generation != 1000 || got.Namespace != "test" || got.Digest != digest(1) {
		t.Errorf("%+v", got)
	}
	if c := s.Update("test", digest(2), func(*change.Change) *change.Change { return nil }); c != nil || s.Get("test", digest(2)) != nil {
		t.Errorf("changed without a change: %+v", c)
	}
	if s.Get("other", digest(1)) != nil {
		t.Error("another namespace has the record too")
	}
}

// Update times of a record grow, whatever the clock does, and a deleted record begins again
// with generation 1, except behind a tombstone.
func TestSource_versions(t *testing.T) {
	clock := time.UnixMilli(1_700_000_000_000)
	s := &xdrtest.Source{Now: func() time.Time { return clock }}
	write := func() (generation uint32, lut int64) {
		v := s.Write(user(1, integer("a", 1)))
		return v.Generation, v.LUT - clock.UnixMilli()
	}
	step := func(what string, wantGeneration uint32, wantLUT int64) {
		t.Helper()
		if generation, lut := write(); generation != wantGeneration || lut != wantLUT {
			t.Errorf("%s: generation %d at %+d ms, want %d at %+d ms", what, generation, lut, wantGeneration, wantLUT)
		}
	}
	step("first", 1, 0)
	step("in the same millisecond", 2, 1)
	clock = clock.Add(-time.Hour)
	step("after the clock was set back", 3, 3600_002)
	clock = clock.Add(2 * time.Hour)
	step("later", 4, 0)
	s.Delete("test", digest(1), change.Delete)
	step("after a delete", 1, 2)
	s.Delete("test", digest(1), change.DurableDelete)
	step("after a durable delete", 3, 4)
	s.Expire("test", digest(1))
	step("after it expired", 1, 5)
	for range 65534 {
		write()
	}
	if got := s.Get("test", digest(1)).Generation; got != 65535 {
		t.Errorf("generation %d", got)
	}
	if generation, _ := write(); generation != 1 {
		t.Errorf("generation %d after 65535", generation)
	}
}

// Only the records that have expired are removed, each once.
func TestSource_Sweep(t *testing.T) {
	clock := time.UnixMilli(1_700_000_000_000)
	r := newReceiver(t, nil)
	s := &xdrtest.Source{Address: r.Addr().String(), Now: func() time.Time { return clock }, Policy: xdrtest.Policy{SupervisorDeletes: true}}
	for i := range 10 {
		c := user(i, integer("a", 1))
		if i > 0 {
			c.Expiry = clock.Unix() + int64(i)
		}
		s.Write(c)
	}
	clock = clock.Add(6 * time.Second)
	for i := range 10 {
		if got, want := s.Get("test", digest(i)) != nil, i == 0 || i >= 6; got != want {
			t.Errorf("record %d can be read: %t, want %t", i, got, want)
		}
	}
	running(t, s)
	for range 2 {
		s.Sweep()
		settle(t, s)
	}
	deletes := 0
	for _, v := range r.versions() {
		if v.Op == change.Delete {
			deletes++
			if v.Generation != 2 {
				t.Errorf("%+v, want generation 2", v)
			}
		}
	}
	if deletes != 5 {
		t.Errorf("%d deletes, want 5", deletes)
	}
	if want := []xdrtest.SetCount{{Set: "users", Records: 5}}; !cmp.Equal(s.Sets("test"), want) {
		t.Errorf("%+v, want %+v", s.Sets("test"), want)
	}
}

// Records and tombstones are counted by set, and truncated by set and time.
func TestSource_Truncate(t *testing.T) {
	clock := time.UnixMilli(1_700_000_000_000)
	s := &xdrtest.Source{Now: func() time.Time { return clock }}
	for i := range 6 {
		c := user(i, integer("a", 1))
		c.Set = []string{"a", "b", ""}[i%3]
		s.Write(c)
	}
	s.Delete("test", digest(0), change.DurableDelete)
	s.Delete("test", digest(1), change.Delete)
	clock = clock.Add(time.Second)
	c := user(7, integer("a", 1))
	c.Set = "a"
	s.Write(c)
	check := func(want ...xdrtest.SetCount) {
		t.Helper()
		if diff := cmp.Diff(want, s.Sets("test")); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	check(xdrtest.SetCount{Records: 2}, xdrtest.SetCount{Set: "a", Records: 2, Tombstones: 1}, xdrtest.SetCount{Set: "b", Records: 1})
	s.Truncate("test", "a", clock.UnixMilli())
	check(xdrtest.SetCount{Records: 2}, xdrtest.SetCount{Set: "a", Records: 1}, xdrtest.SetCount{Set: "b", Records: 1})
	s.Truncate("test", "", clock.UnixMilli()+1)
	check()
}

// A scan of a partition brings the live records in descending order, and goes on behind any
// digest.
func TestSource_Scan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &xdrtest.Source{}
		var live []change.Digest
		for i := range rapid.IntRange(0, 40).Draw(t, "records") {
			d := change.Digest{7, 0, byte(rapid.IntRange(0, 255).Draw(t, "byte")), byte(i)}
			s.Write(change.Change{Namespace: "test", Digest: d, Bins: []change.Bin{integer("a", 1)}})
			if rapid.IntRange(0, 3).Draw(t, "deleted") == 0 {
				s.Delete("test", d, change.Op(1+i%2))
				continue
			}
			live = append(live, d)
			if rapid.IntRange(0, 9).Draw(t, "scan between") == 0 {
				s.Scan(nil, "test", 7, nil, 3)
			}
		}
		slices.SortFunc(live, func(a, b change.Digest) int { return bytes.Compare(b[:], a[:]) })
		limit := rapid.IntRange(1, 10).Draw(t, "limit")
		var got []change.Digest
		var below *change.Digest
		for {
			page := s.Scan(nil, "test", 7, below, limit)
			for _, c := range page {
				got = append(got, c.Digest)
			}
			if len(page) < limit {
				break
			}
			below = &page[limit-1].Digest
		}
		if diff := cmp.Diff(live, got); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		if others := s.Scan(nil, "test", 8, nil, 100); len(others) > 0 {
			t.Fatalf("%d records in another partition", len(others))
		}
	})
}

// Only namespaces that are to be shipped are, also by a rewind.
func TestSource_Ship(t *testing.T) {
	r := newReceiver(t, nil)
	s := &xdrtest.Source{Address: r.Addr().String()}
	s.Ship("a")
	running(t, s)
	write := func(namespaces ...string) {
		for i, n := range namespaces {
			c := user(i, integer("a", 1))
			c.Namespace = n
			s.Write(c)
		}
		settle(t, s)
	}
	count := func(what string, want int) {
		t.Helper()
		if got := len(r.versions()); got != want {
			t.Errorf("%s: %d changes, want %d", what, got, want)
		}
	}
	write("a", "b")
	count("one namespace", 1)
	s.Rewind("b")
	settle(t, s)
	count("rewind of the other", 1)
	s.Ship("b")
	write("a", "b")
	count("the other", 2)
	s.Rewind("b")
	settle(t, s)
	count("its rewind", 3)
	if len(s.Newest("a")) != 1 || len(s.Newest("b")) != 1 {
		t.Errorf("%v and %v", s.Newest("a"), s.Newest("b"))
	}
}
