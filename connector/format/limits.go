package format

import (
	"cmp"
	"math"

	"github.com/aerosink/aerosink/connector/change"
)

// Limits are the limits of Parse for one body. Zero means the default.
//
// A body that exceeds Inflated or Changes cannot be read at all. Exceeding Change or
// Depth concerns one change, as long as the end of that change can be found.
type Limits struct {
	Inflated int // bytes that compressed parts of the body inflate to, all together, and the names in Avro's schema; default 64 MiB
	Changes  int // in a body; default as many as it can hold
	Change   int // bytes of one change, inflated where it is compressed; default no limit
	Depth    int // of lists and maps in each other; default and maximum change.MaxDepth
}

// defaultInflated is the default of Limits.Inflated.
const defaultInflated = 64 << 20

// withDefaults returns l with the defaults filled in.
func (l Limits) withDefaults() Limits {
	return Limits{
		Inflated: cmp.Or(l.Inflated, defaultInflated),
		Changes:  cmp.Or(l.Changes, math.MaxInt),
		Change:   cmp.Or(l.Change, math.MaxInt),
		Depth:    min(cmp.Or(l.Depth, change.MaxDepth), change.MaxDepth),
	}
}
