package aerospike

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"

	as "github.com/aerospike/aerospike-client-go/v7"

	"github.com/aerosink/aerosink/connector/change"
)

// state is a [change.Version] in one integer, as records of states hold it: from the top, 46
// bits of the last update time in Unix milliseconds, one that is set for a delete, and 16 of
// the generation. It is never negative. The zero state is an unknown version.
//
// A state with a later last update time is the larger integer. Among those with the same,
// the order is not that of the integers, since generations wrap.
type state int64

const (
	stateDelete = 1 << 16
	stateLUT    = 1 << 17   // one millisecond
	maxStateLUT = 1<<46 - 1 // ms, in the year 4199
)

// stateOf returns the state of a version with a last update time. It is an error if that is
// out of range.
func stateOf(v change.Version) (state, error) {
	if v.LUT <= 0 || v.LUT > maxStateLUT {
		return 0, fmt.Errorf("the last update time %d ms is unknown, or not between the years 1970 and 4199", v.LUT)
	}
	s := state(v.LUT)*stateLUT | state(v.Generation&0xffff)
	if v.Op.IsDelete() {
		s |= stateDelete
	}
	return s, nil
}

// version returns the version. A delete is one without a tombstone.
func (s state) version() change.Version {
	v := change.Version{LUT: int64(s / stateLUT), Generation: uint32(s & 0xffff)}
	if s&stateDelete != 0 {
		v.Op = change.Delete
	}
	return v
}

// stateFilter makes filter expressions that are true if a change is to be written where
// a state is stored. It holds an expression that is packed already, in which only numbers
// differ from one change to the next: building one for each change would cost more than all
// the rest of a write.
type stateFilter struct {
	packed []byte
	at     [stateNumbers]int // where the numbers are
}

// The numbers in an expression.
const (
	numberLUT     = iota // the first state of the change's millisecond
	numberNext           // the first state of the next one
	numberState          // the change's state
	numberDeletes        // the first state of the millisecond that the change follows in any case
	stateNumbers
)

// newStateFilter returns a filter on the state in a bin. A change that is the same version as
// the state passes if same is true. The filter is never true if the bin is missing or holds
// something else; the server does not ask it if the record is absent.
//
// What passes is exactly what [change.Version.Supersedes] does not refuse.
func newStateFilter(bin string, same bool) *stateFilter {
	number := func(i int) *as.Expression { return as.ExpIntVal(placeholder(i)) }
	v := as.ExpIntBin(bin)
	low := as.ExpIntVal(0xffff)
	later := as.ExpIntAnd(as.ExpNumSub(number(numberState), v), low) // by how many generations
	passes := as.ExpLessEq(later, as.ExpIntVal(0x8000))
	if !same {
		passes = as.ExpAnd(passes, as.ExpGreater(later, as.ExpIntVal(0)))
	}
	e := as.ExpOr(
		as.ExpLess(v, number(numberLUT)),
		as.ExpAnd(
			as.ExpLess(v, number(numberNext)),
			as.ExpOr(
				passes,
				as.ExpGreaterEq(v, number(numberDeletes)),
				as.ExpEq(as.ExpIntAnd(v, low), as.ExpIntVal(0)), // the generation is unknown
			),
		),
	)
	text, packError := e.Base64()
	packed, err := base64.StdEncoding.DecodeString(text)
	if err := errors.Join(packError, err); err != nil {
		panic(err) // the expression is always the same
	}
	f := &stateFilter{packed: packed}
	for i := range f.at {
		f.at[i] = bytes.Index(f.packed, binary.BigEndian.AppendUint64(nil, uint64(placeholder(i))))
	}
	return f
}

// placeholder is a number that stands where number i goes.
func placeholder(i int) int64 { return 1<<62 + int64(i) }

// expression returns the expression for a change of state s.
func (f *stateFilter) expression(s state) *as.Expression {
	first := s / stateLUT * stateLUT
	next := first + stateLUT
	deletes := next
	switch {
	case s&0xffff == 0:
		deletes = first // nothing tells it from the others
	case s&stateDelete == 0:
		deletes = first + stateDelete // it may have created the record again
	}
	packed := bytes.Clone(f.packed)
	for i, n := range [stateNumbers]state{first, next, s, deletes} {
		binary.BigEndian.PutUint64(packed[f.at[i]:], uint64(n))
	}
	e, err := as.ExpFromBase64(base64.StdEncoding.EncodeToString(packed))
	if err != nil {
		panic(err) // it is Base64
	}
	return e
}
