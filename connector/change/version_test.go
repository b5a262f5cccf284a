package change_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/change"
)

func TestVersion_order(t *testing.T) {
	const w, d = change.Write, change.Delete
	for _, tt := range []struct {
		name       string
		v, w       change.Version
		compare    int // its sign
		supersedes bool
	}{
		{"the same", change.Version{5, 2, w}, change.Version{5, 2, w}, 0, true},
		{"an older LUT", change.Version{5, 2, w}, change.Version{4, 9, w}, 1, true},
		{"a newer LUT", change.Version{4, 9, w}, change.Version{5, 2, w}, -1, false},
		{"an older generation", change.Version{5, 3, w}, change.Version{5, 2, w}, 1, true},
		{"a newer generation", change.Version{5, 2, w}, change.Version{5, 3, w}, -1, false},
		{"the last generation before the wrap", change.Version{5, 1, w}, change.Version{5, 65535, w}, 2, true},
		{"the first generation after the wrap", change.Version{5, 65535, w}, change.Version{5, 1, w}, -2, false},
		{"a write before the delete, or after it", change.Version{5, 3, d}, change.Version{5, 2, w}, 1, false},
		{"a delete after the write", change.Version{5, 2, w}, change.Version{5, 3, d}, -1, false},
		{"the same delete", change.Version{5, 3, d}, change.Version{5, 3, d}, 0, true},
		{"a write with an older LUT than the delete", change.Version{5, 3, d}, change.Version{4, 2, w}, 1, true},
		{"an unknown generation", change.Version{5, 0, w}, change.Version{5, 3, w}, 0, false},
		{"an unknown LUT", change.Version{5, 3, w}, change.Version{0, 2, w}, 1, false},
		{"no version", change.Version{}, change.Version{}, 0, false},
	} {
		got := tt.v.Compare(tt.w)
		if got < 0 != (tt.compare < 0) || got > 0 != (tt.compare > 0) || tt.v.Supersedes(tt.w) != tt.supersedes {
			t.Errorf("%s: Compare %d, Supersedes %t", tt.name, got, tt.v.Supersedes(tt.w))
		}
	}
}

func TestVersion_properties(t *testing.T) {
	version := rapid.Custom(func(t *rapid.T) change.Version {
		return change.Version{
			LUT: rapid.Int64Range(0, 3).Draw(t, "lut"), Generation: uint32(rapid.Uint16().Draw(t, "generation")),
			Op: change.Op(rapid.IntRange(0, 2).Draw(t, "op")),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		v, w := version.Draw(t, "v"), version.Draw(t, "w")
		if (v.Generation-w.Generation)&0xffff != 0x8000 && (v.Compare(w) > 0) != (w.Compare(v) < 0) {
			t.Errorf("Compare %d, and the other way round %d", v.Compare(w), w.Compare(v))
		}
		if v.Supersedes(w) && v.Compare(w) < 0 {
			t.Error("an older version supersedes a newer one")
		}
	})
}
