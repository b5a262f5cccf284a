package aerospike

import (
	"maps"
	"testing"

	as "github.com/aerospike/aerospike-client-go/v7"
	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/devnode"
)

// recordOf returns the record that the operations write.
func recordOf(t testing.TB, a applied) *as.Record {
	t.Helper()
	n := node(t, devnode.Config{})
	c := connected(t, n)
	key := c.cluster.key("v", change.Digest{1}, nil)
	if errs := c.Batch(t.Context(), []as.BatchRecordIfc{as.NewBatchWrite(nil, key, a.ops()...)}); errs != nil {
		t.Fatal(errs)
	}
	records, errs := c.Read(t.Context(), []*as.Key{key})
	if errs != nil {
		t.Fatal(errs)
	}
	return records[0]
}

func TestApplied_roundTrip(t *testing.T) {
	for _, want := range []applied{
		{newest: 1 << 30, base: 1 << 30},
		{newest: 1 << 30},
		{newest: 1 << 30, base: 1<<29 | stateDelete, emptied: true},
		{newest: 1 << 30, base: 1 << 29, bins: map[string]state{"": 1, "fifteen-bytes-x": 1 << 62, "é": 7 | stateDelete}},
		{newest: 1 << 30, emptied: true, bins: map[string]state{"a": 1 << 30}},
	} {
		got, generation, err := appliedIn(recordOf(t, want), "v")
		if err != nil || generation != 1 || got.newest != want.newest || got.base != want.base || got.emptied != want.emptied || !maps.Equal(got.bins, want.bins) {
			t.Errorf("%+v, generation %d, %v; want %+v", got, generation, err, want)
		}
	}
}

// What is applied in any order is the same in the end.
func TestApplied_anyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var updates []change.Change
		for v := 2; v <= rapid.IntRange(2, 6).Draw(t, "versions"); v++ {
			updates = append(updates, updated(v, someBins.Draw(t, "bins")...))
		}
		var ends [2]applied
		for i := range ends {
			first := written(1)
			base, _ := stateOf(first.Version())
			a := applied{newest: base, base: base}
			for _, u := range rapid.Permutation(append(updates, updates...)).Draw(t, "order") {
				s, _ := stateOf(u.Version())
				a.update(s, u.Bins)
			}
			ends[i] = a
		}
		if ends[0].newest != ends[1].newest || ends[0].base != ends[1].base || !maps.Equal(ends[0].bins, ends[1].bins) {
			t.Fatalf("%+v and %+v", ends[0], ends[1])
		}
	})
}

// Whatever is in the bin, it is read or refused.
func FuzzAppliedIn(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 1, 1, 'a'})
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 1, 255})
	f.Fuzz(func(t *testing.T, blob []byte) {
		a, _, err := appliedIn(&as.Record{Bins: as.BinMap{binNewest: 1 << 20, binBins: blob}}, "v")
		if (err != nil) != change.IsPermanent(err) {
			t.Fatal(err)
		}
		if err == nil && len(a.bins)*9 > len(blob) {
			t.Fatalf("%d bins in %d bytes", len(a.bins), len(blob))
		}
	})
}
