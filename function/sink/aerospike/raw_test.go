package aerospike

import (
	"fmt"
	"strings"
	"testing"

	as "github.com/aerospike/aerospike-client-go/v7"
	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/devnode"
	"github.com/aerosink/aerosink/function/sink"
)

func TestRaw_bins(t *testing.T) {
	n := node(t, devnode.Config{})
	s := open(t, n, "/other/raw?mode=raw&from=test", sink.Options{})
	c := dial(t, n)
	full := set(written(3), func(c *change.Change) { c.Expiry = now.Unix() + 1000 })
	bare := set(removed(3), func(c *change.Change) {
		c.Digest, c.Set, c.Expiry, c.Op = change.Digest{8}, "", change.ExpiryUnknown, change.DurableDelete
	})
	store(t, s, full, bare)
	version, _ := stateOf(full.Version())
	want := as.BinMap{
		"op": "write", "namespace": "test", "set": testSet, "generation": 3, "lut": int(full.LUT), "expiry": int(full.Expiry), "format": "json",
		"data": []byte(`{"msg":"write"}`), "version": int(version),
	}
	r := get(t, c, "other", full.Digest)
	if fmt.Sprint(r.Bins) != fmt.Sprint(want) || r.Expiration != as.TTLDontExpire {
		t.Errorf("bins %v, want %v; expires in %d s", r.Bins, want, r.Expiration)
	}
	if key := n.Source().Get("other", full.Digest); key.Set != "raw" {
		t.Errorf("set %q", key.Set)
	}
	if r := get(t, c, "other", bare.Digest); r.Bins["op"] != "durable-delete" || r.Bins["set"] != nil || r.Bins["expiry"] != nil {
		t.Errorf("a delete: %v", r.Bins)
	}
}

// Of all versions, in any order and several times, the newest stays.
func TestRaw_newestWins(t *testing.T) {
	n := node(t, devnode.Config{Now: clock()})
	registry := prometheus.NewRegistry()
	s := open(t, n, "/other/raw?mode=raw&from=test", sink.Options{Metrics: registry})
	c := dial(t, n)
	count := 0
	rapid.Check(t, func(t *rapid.T) {
		count++
		digest := change.Digest{byte(count), byte(count >> 8), 4}
		var changes []change.Change
		newest := rapid.IntRange(1, 8).Draw(t, "versions")
		for v := 1; v <= newest; v++ {
			changes = append(changes, set(written(v), func(c *change.Change) { c.Digest = digest }))
		}
		deliveries := rapid.Permutation(append(changes, changes...)).Draw(t, "deliveries")
		for len(deliveries) > 0 {
			k := rapid.IntRange(1, len(deliveries)).Draw(t, "batch")
			for _, err := range s.Put(t.Context(), batch(deliveries[:k]...)) {
				if err != nil {
					t.Fatal(err)
				}
			}
			deliveries = deliveries[k:]
		}
		key, err := as.NewKeyWithDigest("other", "raw", nil, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		if r, err := c.Get(nil, key); err != nil || r.Bins["generation"] != newest {
			t.Fatalf("%v, %v, want version %d", r, err, newest)
		}
	})
	if got := counts(t, registry); got["stale"] == 0 || got["stored"] == 0 {
		t.Errorf("%v", got)
	}
}

// A record that the sink has not written is not overwritten, and its change is not dropped.
func TestRaw_foreignRecord(t *testing.T) {
	n := node(t, devnode.Config{Now: clock()})
	s := open(t, n, "/other/raw?mode=raw&from=test", sink.Options{}).(*raw)
	key := s.cluster.key("raw", written(1).Digest, nil)
	if err := dial(t, n).Put(nil, key, as.BinMap{"mine": 1}); err != nil {
		t.Fatal(err)
	}
	if err := verdict(t, s, written(1)); !change.IsPermanent(err) || !strings.Contains(err.Error(), "written by something else") {
		t.Error(err)
	}
	if r := get(t, dial(t, n), "other", written(1).Digest); r.Bins["mine"] != 1 {
		t.Errorf("%v", r.Bins)
	}
}

// A notification that is too large for a record is a dead letter.
func TestRaw_oversize(t *testing.T) {
	n := node(t, devnode.Config{})
	s := open(t, n, "/other/raw?mode=raw&from=test", sink.Options{})
	b := batch(written(1), set(written(1), func(c *change.Change) { c.Digest = change.Digest{5} }))
	b.Changes[0].Data = make([]byte, 1<<20)
	verdicts := s.Put(t.Context(), b)
	if !change.IsPermanent(verdicts[0]) || verdicts[1] != nil || !strings.Contains(verdicts[0].Error(), "larger than the namespace takes") {
		t.Error(verdicts)
	}
}

func TestRaw_ttl(t *testing.T) {
	n := node(t, devnode.Config{})
	c := dial(t, n)
	expires := set(written(1), func(c *change.Change) { c.Expiry = now.Unix() + 1000 })
	gone := set(written(1), func(c *change.Change) { c.Expiry = now.Unix() - 1000 })
	for i, tt := range []struct {
		query       string
		change      change.Change
		least, most uint32
	}{
		{"", expires, as.TTLDontExpire, as.TTLDontExpire},
		{"&ttl=never", expires, as.TTLDontExpire, as.TTLDontExpire},
		{"&ttl=1h", expires, 3500, 3600},
		{"&ttl=remaining", expires, 900, 1000},
		{"&ttl=remaining", gone, 50, 60},
	} {
		tt.change.Digest[6] = byte(i)
		store(t, open(t, n, "/other/raw?mode=raw&from=test"+tt.query, sink.Options{}), tt.change)
		if r := get(t, c, "other", tt.change.Digest); r == nil || r.Expiration < tt.least || r.Expiration > tt.most {
			t.Errorf("%s: %+v", tt.query, r)
		}
	}
}

// The filter on a server passes exactly what is not superseded, also where generations wrap,
// last update times are the same, or a generation is unknown.
func TestStateFilter_asSupersedes(t *testing.T) {
	c := connectedTo(t, server(t))
	strict, same := newStateFilter("v", false), newStateFilter("v", true)
	version := rapid.Custom(func(t *rapid.T) change.Version {
		return change.Version{
			LUT:        now.UnixMilli() + rapid.Int64Range(0, 2).Draw(t, "lut"),
			Generation: rapid.OneOf(rapid.Uint32Range(0, 3), rapid.Uint32Range(65533, 65535), rapid.Uint32Range(32766, 32770), rapid.Uint32Range(0, 65535)).Draw(t, "generation"),
			Op:         rapid.SampledFrom([]change.Op{change.Write, change.Delete}).Draw(t, "op"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		stored, next := version.Draw(t, "stored"), version.Draw(t, "next")
		a, _ := stateOf(stored)
		b, _ := stateOf(next)
		for _, f := range []stateFilter{strict, same} {
			key := c.cluster.key(testSet, fresh(), nil)
			write := func(filter *as.Expression, s state) error {
				return errAt(c.Batch(t.Context(), []as.BatchRecordIfc{as.NewBatchWrite(&as.BatchWritePolicy{FilterExpression: filter}, key, as.PutOp(as.NewBin("v", int64(s))))}), 0)
			}
			if err := write(nil, a); err != nil {
				t.Fatal(err)
			}
			want := !stored.Supersedes(next)
			if f.same && stored.Compare(next) == 0 {
				want = true
			}
			if err := write(f.of(b), b); (err == nil) != want {
				t.Fatalf("%+v over %+v, same %t: %v", next, stored, f.same, err)
			}
		}
	})
}
