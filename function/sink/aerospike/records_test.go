package aerospike

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	as "github.com/aerospike/aerospike-client-go/v7"
	"github.com/aerospike/aerospike-client-go/v7/types"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/devnode"
	"github.com/aerosink/aerosink/function/sink"
)

// names returns the names of a record's bins.
func names(c *change.Change) []string {
	var all []string
	if c != nil {
		for _, b := range c.Bins {
			all = append(all, b.Name)
		}
	}
	slices.Sort(all)
	return all
}

// unknownMode returns c without its mode, as text formats have it.
func unknownMode(c change.Change) change.Change {
	return set(c, func(c *change.Change) { c.Mode = change.ModeUnknown })
}

func TestRecords_modes(t *testing.T) {
	deleted := func(c change.Change, name string) change.Change {
		return set(c, func(c *change.Change) { c.Bins = append(c.Bins, change.Bin{Name: name}) })
	}
	for _, versions := range []string{"", "&versions=none"} {
		for _, tt := range []struct {
			name, query string
			changes     []change.Change
			want        []string
		}{
			{"replace", "", []change.Change{updated(1, "a"), written(2)}, []string{"i"}},
			{"update", "", []change.Change{written(1), updated(2, "a")}, []string{"a", "i"}},
			{"update that deletes", "", []change.Change{written(1), deleted(updated(2, "a"), "i")}, []string{"a"}},
			{"update that deletes all", "", []change.Change{written(1), deleted(updated(2), "i")}, nil},
			{"update of an absent record that deletes", "", []change.Change{deleted(updated(2), "i")}, nil},
			{"update of an absent record", "", []change.Change{updated(2, "a")}, []string{"a"}},
			{"unknown replaces", "", []change.Change{written(1), unknownMode(updated(2, "a"))}, []string{"a"}},
			{"unknown with a deleted bin updates", "", []change.Change{written(1), unknownMode(deleted(updated(2, "a"), "b"))}, []string{"a", "i"}},
			{"unknown updates if told", "&write=update", []change.Change{written(1), unknownMode(updated(2, "a"))}, []string{"a", "i"}},
			{"a known mode counts more", "&write=update", []change.Change{updated(1, "a"), written(2)}, []string{"i"}},
			{"replace without the deleted bin", "", []change.Change{written(1), deleted(written(2), "a")}, []string{"i"}},
			{"delete", "", []change.Change{written(1), removed(2)}, nil},
			{"delete of an absent record", "", []change.Change{removed(2)}, nil},
			{"written again", "", []change.Change{written(1), removed(2), updated(3, "a")}, []string{"a"}},
		} {
			t.Run(tt.name+versions, func(t *testing.T) {
				n := node(t, devnode.Config{Now: clock()})
				s := open(t, n, "/test?mode=records"+versions+tt.query, sink.Options{})
				store(t, s, tt.changes...)
				if got := names(live(n, "test", written(0).Digest)); !slices.Equal(got, tt.want) {
					t.Errorf("together: bins %v, want %v", got, tt.want)
				}
				other := change.Digest{0xaa}
				for _, c := range tt.changes {
					store(t, s, set(c, func(c *change.Change) { c.Digest = other }))
				}
				if got := names(live(n, "test", other)); !slices.Equal(got, tt.want) {
					t.Errorf("one after another: bins %v, want %v", got, tt.want)
				}
			})
		}
	}
}

// live returns a record of the node, nil if it is absent.
func live(n *devnode.Node, namespace string, d change.Digest) *change.Change {
	if c := n.Source().Get(namespace, d); c != nil && !c.Op.IsDelete() {
		return c
	}
	return nil
}

func TestRecords_identity(t *testing.T) {
	n := node(t, devnode.Config{})
	s := open(t, n, "/other?mode=records&from=shop", sink.Options{})
	keys := map[string]change.Value{
		"integer": change.IntegerValue(7), "string": change.StringValue([]byte("k")), "blob": change.BytesValue(change.KindBlob, []byte{0, 1}),
		"double": change.DoubleValue(1.5), "none": {},
	}
	for name, key := range keys {
		for _, inSet := range []string{"", "customers"} {
			c := set(written(1), func(c *change.Change) {
				c.Namespace, c.Set, c.Key, c.Digest = "shop", inSet, key, change.Digest{name[0], byte(len(inSet))}
			})
			store(t, s, c)
			got := live(n, "other", c.Digest)
			if got == nil || got.Set != inSet || !sameBytes(got.Key, key) || got.Namespace != "other" {
				t.Errorf("key %s, set %q: the record is %+v", name, inSet, got)
			}
		}
	}
	odd := set(written(1), func(c *change.Change) {
		c.Namespace, c.Key = "shop", change.BytesValue(change.KindJavaBlob, []byte{1})
	})
	if err := verdict(t, s, odd); !change.IsPermanent(err) || !strings.Contains(err.Error(), "cannot send a user key of kind java-blob") {
		t.Errorf("a key of another kind: %v", err)
	}
}

// Changes of a namespace that the sink is not for are skipped if it was told so, and dead
// letters otherwise.
func TestPut_namespaces(t *testing.T) {
	n := node(t, devnode.Config{})
	elsewhere := set(written(1), func(c *change.Change) { c.Namespace = "shop" })
	for _, mode := range []string{"/test/s?mode=raw", "/test?mode=records"} {
		s := open(t, n, mode, sink.Options{})
		if err := verdict(t, s, elsewhere); !change.IsPermanent(err) || !strings.Contains(err.Error(), "from=") {
			t.Errorf("%s: %v", mode, err)
		}
		registry := prometheus.NewRegistry()
		s = open(t, n, mode+"&from=test", sink.Options{Metrics: registry})
		store(t, s, elsewhere)
		if live(n, "test", elsewhere.Digest) != nil {
			t.Errorf("%s: it is stored", mode)
		}
		if got := counts(t, registry); got["skipped"] != 1 {
			t.Errorf("%s: %v", mode, got)
		}
	}
}

// counts returns the changes that a sink has counted, by verdict.
func counts(t testing.TB, g prometheus.Gatherer) map[string]int {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]int{}
	for _, f := range families {
		if f.GetName() != "aerosink_aerospike_changes_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "verdict" {
					all[l.GetValue()] += int(m.GetCounter().GetValue())
				}
			}
		}
	}
	return all
}

func TestRecords_metrics(t *testing.T) {
	n := node(t, devnode.Config{Now: clock()})
	registry := prometheus.NewRegistry()
	s := open(t, n, "/test?mode=records&from=test", sink.Options{Metrics: registry})
	noBins := set(written(4), func(c *change.Change) { c.Bins = nil })
	for _, c := range []change.Change{written(2), written(1), removed(3), noBins, set(written(1), func(c *change.Change) { c.Namespace = "x" })} {
		s.Put(t.Context(), batch(c))
	}
	want := map[string]int{"stored": 1, "stale": 1, "deleted": 1, "refused": 1, "skipped": 1}
	if got := counts(t, registry); !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
	again := open(t, n, "/test?mode=records&from=test", sink.Options{Metrics: registry}) // the same URL, the same metrics
	store(t, again, written(9))
	if got := counts(t, registry); got["stored"] != 2 {
		t.Errorf("%v", got)
	}
}

// What cannot become a record, or cannot be ordered, is refused for good with its reason.
func TestRecords_refusedChanges(t *testing.T) {
	n := node(t, devnode.Config{})
	s := open(t, n, "/test?mode=records", sink.Options{})
	for want, c := range map[string]change.Change{
		"a write without bins":                set(written(1), func(c *change.Change) { c.Bins = nil }),
		"set bin-policy to all":               set(unknownMode(written(1)), func(c *change.Change) { c.Bins = nil }),
		"versions=none applies changes":       set(written(1), func(c *change.Change) { c.LUT = 0 }),
		"not between the years 1970 and 4199": set(removed(1), func(c *change.Change) { c.LUT = 1 << 50 }),
		"the set that holds the versions":     set(written(1), func(c *change.Change) { c.Set = "aerosink-versions" }),
		"up to 15 bytes":                      set(written(1), func(c *change.Change) { c.Bins[0].Name = "sixteen-bytes-xx" }),
		"larger than the namespace takes": set(written(1), func(c *change.Change) {
			c.Bins[0].Value = change.BytesValue(change.KindBlob, make([]byte, 1<<20))
		}),
		"only extends the life": updated(1),
	} {
		if err := verdict(t, s, c); !change.IsPermanent(err) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want a permanent error that says %q", err, want)
		}
	}
	if s := open(t, n, "/test?mode=records&versions=none", sink.Options{}); verdict(t, s, set(written(1), func(c *change.Change) { c.LUT = 0 })) != nil {
		t.Error("versions=none needs no last update time")
	}
	if err := s.Put(t.Context(), sink.Batch{Changes: batch(written(1)).Changes, DeadLetters: make([]sink.DeadLetter, 1)})[0]; !change.IsPermanent(err) {
		t.Errorf("a dead letter: %v", err)
	}
}

// A record that has another set under the digest, or another user key, is not overwritten.
func TestRecords_otherRecord(t *testing.T) {
	n := node(t, devnode.Config{Now: clock()})
	s := open(t, n, "/test?mode=records", sink.Options{})
	withKey := func(v int, key string) change.Change {
		return set(written(v), func(c *change.Change) { c.Key = change.StringValue([]byte(key)) })
	}
	store(t, s, withKey(1, "a"))
	for _, c := range []change.Change{set(withKey(2, "a"), func(c *change.Change) { c.Set = "t" }), withKey(3, "b")} {
		if err := verdict(t, s, c); !change.IsPermanent(err) {
			t.Errorf("set %s, key %s: %v", c.Set, c.Key.Bytes(), err)
		}
	}
	if got := live(n, "test", written(1).Digest); got.Set != testSet || got.Bins[0].Value.Integer() != 1 {
		t.Errorf("the record is %+v", got)
	}
}

// The set of versions is not the place of anything else.
func TestRecords_foreignVersion(t *testing.T) {
	n := node(t, devnode.Config{Now: clock()})
	s := open(t, n, "/test?mode=records&versions=v", sink.Options{}).(*records)
	d := s.versionDigest(written(1).Digest)
	c := dial(t, n)
	for _, bin := range []as.BinMap{{"x": 1}, {binNewest: "text"}, {binNewest: 0}, {binNewest: -1}} {
		if _, err := c.Delete(nil, s.cluster.key("v", d, nil)); err != nil {
			t.Fatal(err)
		}
		if err := c.Put(nil, s.cluster.key("v", d, nil), bin); err != nil {
			t.Fatal(err)
		}
		if err := verdict(t, s, updated(1, "a")); !change.IsPermanent(err) || !strings.Contains(err.Error(), "written by something else") {
			t.Errorf("%v: %v", bin, err)
		}
	}
	for _, blob := range [][]byte{{1}, make([]byte, 8), {0, 0, 0, 0, 0, 0, 0, 1, 5, 'a'}} {
		if err := c.Put(nil, s.cluster.key("v", d, nil), as.BinMap{binNewest: 1 << 20, binBins: blob}); err != nil {
			t.Fatal(err)
		}
		if err := verdict(t, s, updated(1, "a")); !change.IsPermanent(err) || !strings.Contains(err.Error(), "cannot be read") {
			t.Errorf("% x: %v", blob, err)
		}
	}
}

// Versions are in the same partition as their records, and never the same for two.
func TestRecords_versionDigest(t *testing.T) {
	n := node(t, devnode.Config{})
	a := open(t, n, "/test?mode=records", sink.Options{}).(*records)
	b := open(t, n, "/test?mode=records&versions=b", sink.Options{}).(*records)
	seen := map[change.Digest]bool{}
	for i := range 1000 {
		d := change.Digest{byte(i), byte(i >> 8), 3}
		for _, v := range []change.Digest{d, a.versionDigest(d), b.versionDigest(d)} {
			if v.Partition() != d.Partition() || seen[v] {
				t.Fatalf("digest %s: %s, partition %d, seen %t", d, v, v.Partition(), seen[v])
			}
			seen[v] = true
		}
	}
}

func TestRecords_durableDeletes(t *testing.T) {
	for query, want := range map[string][2]bool{
		"": {false, true}, "&durable-delete=auto": {false, true}, "&durable-delete=always": {true, true}, "&durable-delete=never": {false, false},
	} {
		for i, op := range []change.Op{change.Delete, change.DurableDelete} {
			for _, versions := range []string{"", "&versions=none"} {
				n := node(t, devnode.Config{Now: clock()})
				s := open(t, n, "/test?mode=records"+query+versions, sink.Options{})
				store(t, s, written(1), set(removed(2), func(c *change.Change) { c.Op = op }))
				got := n.Source().Newest("test")[written(1).Digest]
				if durable := got.Op == change.DurableDelete; durable != want[i] || live(n, "test", written(1).Digest) != nil {
					t.Errorf("%s%s: %s leaves %+v", query, versions, op, got)
				}
			}
		}
	}
}

func TestRecords_expiry(t *testing.T) {
	at := func(v int, expiry int64) change.Change {
		return set(written(v), func(c *change.Change) { c.Expiry = expiry })
	}
	n := node(t, devnode.Config{Now: clock()})
	c := dial(t, n)
	for i, tt := range []struct {
		query  string
		change change.Change
		least  uint32
		most   uint32
	}{
		{"", at(1, 0), as.TTLDontExpire, as.TTLDontExpire},
		{"", at(1, change.ExpiryUnknown), as.TTLDontExpire, as.TTLDontExpire}, // the namespace's default
		{"", at(1, now.Unix()+1000), 900, 1000},
		{"", at(1, now.Unix()-1000), 1, 60}, // expired; the node's clock hardly moves, that of the client does
		{"&ttl=absolute", set(at(1, now.Unix()-1), func(c *change.Change) { c.LUT -= 500_000 }), 400, 501},
		{"&ttl=absolute", set(at(1, now.Unix()-1), func(c *change.Change) { c.LUT = now.UnixMilli() + 1 }), 1, 60},
		{"&ttl=never", at(1, now.Unix()+1000), as.TTLDontExpire, as.TTLDontExpire},
		{"&ttl=24h", at(1, now.Unix()-1), 86000, 86400},
		{"&ttl=default", at(1, now.Unix()-1), as.TTLDontExpire, as.TTLDontExpire},
	} {
		for j, versions := range []string{"", "&versions=none"} {
			s := open(t, n, "/test?mode=records"+tt.query+versions, sink.Options{})
			tt.change.Digest = change.Digest{byte(i), byte(j)}
			store(t, s, set(written(0), func(c *change.Change) { c.Digest, c.LUT = tt.change.Digest, 1 }), tt.change)
			r := get(t, c, "test", tt.change.Digest)
			if r == nil || r.Expiration < tt.least || r.Expiration > tt.most {
				t.Errorf("%s%s, expiry %d: the record is %+v", tt.query, versions, tt.change.Expiry, r)
			}
		}
	}
}

// A record whose delete is known is not brought back by what comes late.
func TestRecords_lateAfterDelete(t *testing.T) {
	n := node(t, devnode.Config{Now: clock()})
	s := open(t, n, "/test?mode=records", sink.Options{})
	store(t, s, removed(5), written(4), updated(3, "a"), removed(4))
	if got := live(n, "test", written(0).Digest); got != nil {
		t.Errorf("the record is %+v", got)
	}
}

// A change that comes after its record has expired keeps the bins for a newer one, which
// prolongs the record without having them.
func TestRecords_prolongedAfterExpiry(t *testing.T) {
	n := node(t, devnode.Config{Now: clock()})
	s := open(t, n, "/test?mode=records", sink.Options{})
	store(t, s, set(written(1), func(c *change.Change) { c.Expiry = now.Unix() - 100 }), set(updated(2, "a"), func(c *change.Change) { c.Expiry = now.Unix() + 1000 }))
	if got := live(n, "test", written(0).Digest); !slices.Equal(names(got), []string{"a", "i"}) || got.Expiry < now.Unix()+900 {
		t.Errorf("the record is %+v", got)
	}
}

// Without versions changes are applied as they come, but never before an earlier one of the
// same batch that failed.
func TestRecords_withoutVersions(t *testing.T) {
	var fails atomic.Bool
	n := node(t, devnode.Config{Fault: func(c devnode.Command) (f devnode.Fault) {
		if fails.Load() && c.Writes {
			f.Code = devnode.Code(types.DEVICE_OVERLOAD)
			if c.Kind == devnode.Batch {
				f = devnode.Fault{Rows: map[int]devnode.Code{0: f.Code}}
			}
			fails.Store(false)
		}
		return f
	}})
	s := open(t, n, "/test?mode=records&versions=none", sink.Options{})
	store(t, s, written(2), written(1))
	if got := live(n, "test", written(1).Digest); got.Bins[0].Value.Integer() != 1 {
		t.Errorf("the record is %+v", got)
	}
	fails.Store(true)
	other := set(written(7), func(c *change.Change) { c.Digest = change.Digest{7} })
	verdicts := s.Put(t.Context(), batch(written(3), written(4), other, written(5)))
	if verdicts[0] == nil || verdicts[1] == nil || verdicts[2] != nil || verdicts[3] == nil {
		t.Errorf("%v", verdicts)
	}
	if got := live(n, "test", written(1).Digest); got.Bins[0].Value.Integer() != 1 {
		t.Errorf("the record is %+v", got)
	}
}

// The rate bounds how many changes are stored; what does not fit into the time of a Put is to
// come again.
func TestRecords_rate(t *testing.T) {
	n := node(t, devnode.Config{})
	s := open(t, n, "/test?mode=records&versions=none&rate=50", sink.Options{Timeout: 200 * time.Millisecond})
	var changes []change.Change
	for i := range 200 {
		changes = append(changes, set(written(1), func(c *change.Change) { c.Digest = change.Digest{byte(i)} }))
	}
	stored, overloaded := 0, 0
	for i, err := range s.Put(t.Context(), batch(changes...)) {
		switch {
		case err == nil:
			stored++
		case errors.Is(err, sink.ErrOverloaded) && !change.IsPermanent(err):
			overloaded++
		default:
			t.Errorf("change %d: %v", i, err)
		}
	}
	if stored < 50 || overloaded < 100 {
		t.Errorf("%d stored, %d refused for now", stored, overloaded)
	}
}
