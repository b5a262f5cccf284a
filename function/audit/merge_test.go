package audit

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/change"
)

// The merge yields the union of both sides in order, and pairs what is in both.
func TestMerge_union(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		numbers := rapid.SliceOfDistinct(rapid.IntRange(0, 50), rapid.ID[int])
		as, bs := numbers.Draw(t, "archive"), numbers.Draw(t, "database")
		slices.Sort(as)
		slices.Sort(bs)
		found := map[int][2]bool{}
		last := -1
		for a, b := range merge(slices.Values(as), slices.Values(bs), func(a, b *int) int { return *a - *b }) {
			n := 0
			switch {
			case a != nil && b != nil && *a != *b:
				t.Fatalf("%d and %d are a pair", *a, *b)
			case a != nil:
				n = *a
			case b != nil:
				n = *b
			default:
				t.Fatal("a pair of nothing")
			}
			if n <= last {
				t.Fatalf("%d after %d", n, last)
			}
			last = n
			found[n] = [2]bool{a != nil, b != nil}
		}
		want := map[int][2]bool{}
		for _, n := range as {
			want[n] = [2]bool{true, slices.Contains(bs, n)}
		}
		for _, n := range bs {
			want[n] = [2]bool{slices.Contains(as, n), true}
		}
		if !maps.Equal(found, want) {
			t.Fatalf("%v, want %v", found, want)
		}
	})
}

// Whoever stops early does not hang or leak the sequence that is pulled.
func TestMerge_stopsEarly(t *testing.T) {
	for stop := range 6 {
		ended, n := false, 0
		as := func(yield func(int) bool) {
			defer func() { ended = true }()
			for i := range 3 {
				if !yield(2 * i) {
					return
				}
			}
		}
		for range merge(as, slices.Values([]int{1, 3, 4, 9}), func(a, b *int) int { return *a - *b }) {
			if n++; n > stop {
				break
			}
		}
		if !ended {
			t.Errorf("after %d pairs the sequence has not ended", n)
		}
	}
}

func TestOrder(t *testing.T) {
	// The partition is the first 12 bits, little-endian.
	sorted := []change.Digest{
		{0x00, 0x10, 9}, // partition 0, higher bits first
		{0x00, 0x00, 2},
		{0x00, 0x00, 1},
		{0x01, 0xf0}, // partition 1
		{0x01, 0x00},
		{0x00, 0x01}, // partition 256
		{0xff, 0x0f}, // partition 4095
	}
	for i, a := range sorted {
		for j, b := range sorted {
			if got := order(a, b); (got < 0) != (i < j) || (got == 0) != (i == j) {
				t.Errorf("order(%x, %x) is %d", a[:3], b[:3], got)
			}
		}
	}
}
