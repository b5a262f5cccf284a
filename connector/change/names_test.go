package change_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/change"
)

// named returns bins with names of n, as a decoder reads them.
func named(n *change.Names, names ...string) (bins []change.Bin) {
	for i, name := range names {
		bins = append(bins, change.Bin{Name: n.Of([]byte(name), change.SlotBins+i)})
	}
	return bins
}

func TestNames_duplicateBin(t *testing.T) {
	many := make([]string, 300)
	for i := range many {
		many[i] = fmt.Sprint("bin", i)
	}
	for _, tt := range []struct {
		name  string
		names []string
		want  int
	}{
		{"no bins", nil, -1},
		{"one bin", []string{"a"}, -1},
		{"two bins", []string{"a", "b"}, -1},
		{"the same twice", []string{"a", "a"}, 1},
		{"the first and the last", []string{"a", "b", "c", "a"}, 3},
		{"two names twice", []string{"a", "b", "b", "a"}, 2},
		{"three times", []string{"a", "a", "a"}, 1},
		{"names that differ in case", []string{"a", "A"}, -1},
		{"names without letters", []string{"", ""}, 1},
		{"long names", []string{strings.Repeat("n", 100), "a", strings.Repeat("n", 100)}, 2},
		{"as many as can be remembered, and more", many, -1},
		{"the first of many again", append(many[:300:300], "bin0"), 300},
		{"the last of many again", append(many[:300:300], "bin299"), 300},
		{"some of many again", append(many[:40:40], "bin7", "bin3"), 40},
		{"the first of a few again", append(many[:31:31], "bin0"), 31},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var n change.Names
			for range 2 { // what is remembered of the first makes no difference to the second
				if got := n.DuplicateBin(named(&n, tt.names...)); got != tt.want {
					t.Errorf("bin %d, want %d", got, tt.want)
				}
			}
		})
	}
}

// What is remembered of a stream of changes never hides a duplicate, nor makes one.
func TestNames_duplicateBinInStream(t *testing.T) {
	name := rapid.SampledFrom([]string{"a", "b", "c", "", strings.Repeat("l", 70), strings.Repeat("m", 70)})
	rapid.Check(t, func(t *rapid.T) {
		var n change.Names
		for range rapid.IntRange(1, 20).Draw(t, "changes") {
			names := rapid.SliceOfN(name, 0, 5).Draw(t, "names")
			if rapid.IntRange(0, 9).Draw(t, "many") == 0 {
				for i := range 40 {
					names = append(names, fmt.Sprint(i))
				}
			}
			bins := named(&n, names...)
			if rapid.Bool().Draw(t, "not read to the end") {
				continue
			}
			seen := map[string]bool{}
			want := slices.IndexFunc(names, func(name string) bool {
				again := seen[name]
				seen[name] = true
				return again
			})
			if got := n.DuplicateBin(bins); got != want {
				t.Fatalf("bin %d of %q, want %d", got, names, want)
			}
		}
	})
}

func TestNames_duplicateBinAllocatesNothing(t *testing.T) {
	few, many := []string{"a", "b", "c"}, []string{}
	for i := range 100 {
		many = append(many, fmt.Sprint("bin", i))
	}
	var n change.Names
	bins := make([]change.Bin, 100)
	check := func(names []string) {
		for i, name := range names {
			bins[i].Name = n.Of([]byte(name), change.SlotBins+i)
		}
		if i := n.DuplicateBin(bins[:len(names)]); i >= 0 {
			t.Fatal(i)
		}
	}
	if allocs := testing.AllocsPerRun(100, func() { check(few); check(many) }); allocs > 0 {
		t.Errorf("%v allocations for two changes", allocs)
	}
}

func BenchmarkNames_duplicateBin(b *testing.B) {
	for _, count := range []int{3, 10, 32, 33, 100} {
		sets := [2][]string{}
		for i := range count {
			sets[0] = append(sets[0], fmt.Sprint("bin", i))
			sets[1] = append(sets[1], fmt.Sprint("nib", i))
		}
		for name, change := range map[string]int{"same": 0, "other": 1} {
			b.Run(fmt.Sprintf("%d/%s names", count, name), func(b *testing.B) { benchmarkDuplicateBin(b, sets[0], sets[change]) })
		}
	}
}

// benchmarkDuplicateBin reads changes whose names are those of a and b in turn.
func benchmarkDuplicateBin(b *testing.B, names ...[]string) {
	var n change.Names
	bins := make([]change.Bin, len(names[0]))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		for j, name := range names[i%len(names)] {
			bins[j].Name = n.Of([]byte(name), change.SlotBins+j)
		}
		if n.DuplicateBin(bins) >= 0 {
			b.Fatal("a duplicate")
		}
	}
}
