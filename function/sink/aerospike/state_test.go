package aerospike

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/change"
)

func TestState_roundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := change.Version{
			LUT: rapid.Int64Range(1, maxStateLUT).Draw(t, "lut"), Generation: uint32(rapid.Uint16().Draw(t, "generation")),
			Op: rapid.SampledFrom([]change.Op{change.Write, change.Delete}).Draw(t, "op"),
		}
		s, err := stateOf(v)
		if err != nil || s < 0 {
			t.Fatal(s, err)
		}
		if s.version() != v {
			t.Fatalf("%+v is %+v", v, s.version())
		}
	})
}

func TestState_outOfRange(t *testing.T) {
	for _, lut := range []int64{-1, 0, maxStateLUT + 1, change.EndOfTime} {
		if s, err := stateOf(change.Version{LUT: lut}); err == nil {
			t.Errorf("%d ms is state %d", lut, s)
		}
	}
}

// The numbers of an expression are where they are put, and nothing else changes.
func TestStateFilter_numbers(t *testing.T) {
	f := newStateFilter("v", true)
	for i, at := range f.at {
		if at < 0 {
			t.Fatalf("number %d is not in % x", i, f.packed)
		}
		for j := range i {
			if d := at - f.at[j]; d > -8 && d < 8 {
				t.Errorf("numbers %d and %d overlap", i, j)
			}
		}
	}
}
