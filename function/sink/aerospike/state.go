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

// template is a packed expression in which some integers are still to be put. Building an
// expression for each change would cost more than all the rest of a write.
type template struct {
	packed []byte
	at     []int // where the integers are
}

// newTemplate returns the template of the expression that build returns. The expression must
// have each of the n integers that build gets, once or more often in the same place.
func newTemplate(n int, build func(integers []*as.Expression) *as.Expression) *template {
	var integers []*as.Expression
	var forms [][]byte
	for i := range n {
		stand := int64(1)<<62 + int64(i) // it takes all bytes that an integer can have
		integers = append(integers, as.ExpIntVal(stand))
		forms = append(forms, binary.BigEndian.AppendUint64(nil, uint64(stand)))
	}
	text, packError := build(integers).Base64()
	packed, err := base64.StdEncoding.DecodeString(text)
	if err := errors.Join(packError, err); err != nil {
		panic(err) // the expression is always the same
	}
	t := &template{packed: packed}
	for _, form := range forms {
		t.at = append(t.at, bytes.Index(packed, form))
	}
	return t
}

// with returns the expression with the integers, none of which is negative.
func (t *template) with(integers ...int64) *as.Expression {
	packed := bytes.Clone(t.packed)
	for i, n := range integers {
		binary.BigEndian.PutUint64(packed[t.at[i]:], uint64(n))
	}
	e, err := as.ExpFromBase64(base64.StdEncoding.EncodeToString(packed))
	if err != nil {
		panic(err) // it is Base64
	}
	return e
}

// stateFilter makes filters that are true if a change is to be written where a state is
// stored. What passes is exactly what [change.Version.Supersedes] does not refuse, and with
// same also a change of the same version as the one stored.
type stateFilter struct {
	*template
	same bool
}

// newStateFilter returns a filter on the state in a bin. It is never true if the bin is
// missing or holds something else. The server does not ask it if the record is absent.
func newStateFilter(bin string, same bool) stateFilter {
	v, low, most := as.ExpIntBin(bin), as.ExpIntVal(0xffff), as.ExpIntVal(0x8000)
	return stateFilter{newTemplate(4, func(i []*as.Expression) *as.Expression {
		first, next, own, deletes := i[0], i[1], i[2], i[3]
		later := as.ExpIntAnd(as.ExpNumSub(own, v), low) // by how many generations, less one without same
		newer := as.ExpLess(later, most)
		if same {
			newer = as.ExpLessEq(later, most)
		}
		unknown := as.ExpEq(as.ExpIntAnd(v, low), as.ExpIntVal(0))
		return as.ExpOr(
			as.ExpLess(v, first),
			as.ExpAnd(as.ExpLess(v, next), as.ExpOr(newer, unknown, as.ExpGreaterEq(v, deletes))),
		)
	}), same}
}

// of returns the filter for a change of state s.
func (f stateFilter) of(s state) *as.Expression {
	first := s / stateLUT * stateLUT
	next := first + stateLUT
	deletes, own := next, s
	switch {
	case s&0xffff == 0:
		deletes = first // nothing tells it from others with its last update time
	case s&stateDelete == 0:
		deletes = first + stateDelete // it may have created the record again
	}
	if !f.same {
		own--
	}
	return f.with(int64(first), int64(next), int64(own), int64(deletes))
}
