package aerospike

import (
	"bytes"
	"encoding/binary"
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

// Each integer of a template is in one place, so that none is left as it was.
func TestTemplate_integers(t *testing.T) {
	for _, tt := range []*template{newStateFilter("v", true).template, newStateFilter("v", false).template} {
		for i, at := range tt.at {
			form := binary.BigEndian.AppendUint64(nil, 1<<62+uint64(i))
			if at < 0 || bytes.Count(tt.packed, form) != 1 {
				t.Errorf("integer %d is %d times in % x", i, bytes.Count(tt.packed, form), tt.packed)
			}
		}
	}
}
