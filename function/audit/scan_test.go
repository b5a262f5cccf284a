package audit

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/change"
)

func recordDigest(r *Record) change.Digest { return r.Digest }

// Whatever the order in which nodes return records, and how often, a scan has each once, in
// order.
func TestScan_order(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first, end := 10, 14
		digest := rapid.Custom(func(t *rapid.T) (d change.Digest) {
			d[0], d[1] = byte(rapid.IntRange(first, end-1).Draw(t, "partition")), byte(rapid.IntRange(0, 3).Draw(t, "bits"))<<4
			d[2] = byte(rapid.IntRange(0, 5).Draw(t, "rest"))
			return d
		})
		came := rapid.SliceOf(digest).Draw(t, "records")
		s := newScan(first, end, recordDigest)
		for _, d := range came {
			s.add(Record{Digest: d, Set: "s"})
		}
		s.sort()
		var got []change.Digest
		for r := range s.all() {
			got = append(got, r.Digest)
		}
		slices.SortFunc(came, order)
		if want := slices.Compact(came); !slices.Equal(got, want) || s.records != len(want) {
			t.Fatalf("%v, and %d records, want %v", got, s.records, want)
		}
	})
}

func TestScan_otherPartitions(t *testing.T) {
	s := newScan(10, 11, recordDigest)
	for _, d := range []change.Digest{{9}, {10}, {11}, {0xff, 0x0f}} {
		s.add(Record{Digest: d})
	}
	s.sort()
	if got := slices.Collect(s.all()); len(got) != 1 || got[0].Digest != (change.Digest{10}) {
		t.Errorf("%v, want the record of partition 10", got)
	}
}

func TestScan_nextRange(t *testing.T) {
	for _, tt := range []struct{ partitions, records, want int }{
		{1, 0, 8}, // empty: growing
		{8, 0, 64},
		{64, 0, 256}, // the most
		{256, 10, 256},
		{1, 100, 8},
		{8, rangeRecords, 8},
		{8, 2 * rangeRecords, 4},
		{8, 100 * rangeRecords, 1},
		{1, 100 * rangeRecords, 1},
	} {
		s := scan[Record]{first: 5, end: 5 + tt.partitions, records: tt.records}
		if got := s.nextRange(rangeRecords); got != tt.want {
			t.Errorf("after %d records in %d partitions: %d, want %d", tt.records, tt.partitions, got, tt.want)
		}
	}
}
