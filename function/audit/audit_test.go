package audit_test

import (
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/function/audit"
)

// Each kind of finding, and what is none, against a development node or a server.
func TestRun_kinds(t *testing.T) {
	c, a := anyCluster(t), newArchive(t)
	want := map[change.Digest]audit.Kind{}
	var changes []change.Change
	n := 0
	// record puts a record, and lets plant say what the archive has of it.
	record := func(kind audit.Kind, ttl uint32, plant func(s change.Change) []change.Change) {
		n++
		c.put(n, ttl)
		c.put(n, ttl)
		changes = append(changes, plant(c.state(n))...)
		if kind != "" {
			want[c.digest(n)] = kind
		}
	}
	same := func(s change.Change) []change.Change { return []change.Change{s} }
	before := func(s change.Change) change.Change {
		s.Generation, s.LUT = s.Generation-1, s.LUT-1000
		return s
	}
	deleted := func(s change.Change, later int64) change.Change {
		return change.Change{Op: change.Delete, Namespace: s.Namespace, Set: s.Set, Digest: s.Digest, Generation: s.Generation + 1, LUT: s.LUT + later}
	}
	record("", 0, same)
	record("", 1000, same)
	record("", 0, func(s change.Change) []change.Change { return []change.Change{s, before(s), s} })
	record("", 1000, func(s change.Change) []change.Change { s.Expiry += 5; return []change.Change{s} })
	record("", 1000, func(s change.Change) []change.Change { s.Expiry = change.ExpiryUnknown; return []change.Change{s} })
	record("", 0, func(s change.Change) []change.Change { return []change.Change{deleted(s, -2000), s} })
	record(audit.Missing, 0, func(change.Change) []change.Change { return nil })
	record(audit.Missing, 1000, func(change.Change) []change.Change { return nil })
	record(audit.Stale, 0, func(s change.Change) []change.Change { return []change.Change{before(s)} })
	record(audit.Stale, 0, func(s change.Change) []change.Change { return []change.Change{before(s), deleted(before(s), 500)} })
	record(audit.Revived, 0, func(s change.Change) []change.Change { return []change.Change{s, deleted(s, 500)} })
	record(audit.Older, 0, func(s change.Change) []change.Change { s.Generation++; s.LUT += 10; return []change.Change{s} })
	record(audit.Expiry, 0, func(s change.Change) []change.Change { s.Expiry = s.LUT/1000 + 1000; return []change.Change{s} })
	record(audit.Expiry, 1000, func(s change.Change) []change.Change { s.Expiry += 60; return []change.Change{s} })

	// These are gone from the database.
	gone := func(kind audit.Kind, plant func(s change.Change) []change.Change) {
		record(kind, 0, plant)
		c.delete(n)
	}
	gone(audit.Unexpected, same)
	gone("", func(change.Change) []change.Change { return nil })
	gone("", func(s change.Change) []change.Change { return []change.Change{s, deleted(s, 10)} })
	gone("", func(s change.Change) []change.Change { s.Expiry = s.LUT/1000 + 1; return []change.Change{s} }) // it has expired
	a.add(changes...)
	wait(t, 2*time.Second)

	o := options(c, a)
	o.Margin, o.Tolerance = 0, 10*time.Second
	got, sum, err := run(t, o)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if sum.Database != int64(n)-4 || !sum.Complete() {
		t.Errorf("%+v", sum)
	}
	if oldest := c.state(7).LUT; sum.Oldest.UnixMilli() != oldest {
		t.Errorf("the oldest is of %d, want that of record 7, %d", sum.Oldest.UnixMilli(), oldest)
	}
	o.Exact = true
	exact, sum, err := run(t, o)
	if err != nil || !maps.Equal(exact, want) || sum.Read < sum.Database {
		t.Errorf("with every record read: %v\n%+v", cmp.Diff(want, exact), sum)
	}
}
